package telemetry

import "sync"

// sets keeps the options of measurements that were made before, for making one
// costs more than the measurement. It is as large as the product of the closed
// lists that its key is made of.
type sets[K comparable, O any] struct {
	mu   sync.RWMutex
	made map[K][]O
}

func (s *sets[K, O]) of(key K, option func(K) O) []O {
	s.mu.RLock()
	options := s.made[key]
	s.mu.RUnlock()
	if options != nil {
		return options
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		s.made = map[K][]O{}
	}
	s.made[key] = []O{option(key)}
	return s.made[key]
}

// names admits the first maxNames names of items, and _OTHER for all after them.
type names struct {
	mu    sync.RWMutex
	known map[string]bool
}

func (n *names) bounded(name string) string {
	if name == "" {
		return other
	}
	n.mu.RLock()
	known, full := n.known[name], len(n.known) >= maxNames
	n.mu.RUnlock()
	switch {
	case known:
		return name
	case full:
		return other
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = map[string]bool{}
	}
	if len(n.known) >= maxNames && !n.known[name] {
		return other
	}
	n.known[name] = true
	return name
}
