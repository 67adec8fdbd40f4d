package revocation

// A table is a set of revocations, one mark per kind and key. It is not safe
// for concurrent use. The zero table is empty.
type table struct {
	marks [kinds]map[key]mark
}

// add merges m into the table and reports whether that changed anything. Marks
// only ever grow: a revocation that arrives late, or twice, cannot loosen one
// that is there.
func (t *table) add(by kind, k key, m mark) bool {
	old, found := t.marks[by][k]
	if found {
		m.before = max(m.before, old.before)
		m.until = max(m.until, old.until)
		if m == old {
			return false
		}
	}
	if t.marks[by] == nil {
		t.marks[by] = make(map[key]mark)
	}
	t.marks[by][k] = m
	return true
}

// has reports whether add of k would take no further room.
func (t *table) has(by kind, k key) bool {
	_, found := t.marks[by][k]
	return found
}

// size is the number of entries.
func (t *table) size() (n int) {
	for _, marks := range t.marks {
		n += len(marks)
	}
	return n
}

// purge drops what has no effect any more at the Unix time now.
func (t *table) purge(now int64) {
	for by, marks := range t.marks {
		t.marks[by] = living(marks, now)
	}
}

// living returns the entries that still count. They move to a new map if any
// does not, because a map keeps the room of its largest size for ever.
func living(marks map[key]mark, now int64) map[key]mark {
	n := 0
	for _, m := range marks {
		if m.until >= now {
			n++
		}
	}
	if n == len(marks) {
		return marks
	}
	kept := make(map[key]mark, n)
	for k, m := range marks {
		if m.until >= now {
			kept[k] = m
		}
	}
	return kept
}

// list returns everything the table knows, in no order.
func (t *table) list() []Revocation {
	all := make([]Revocation, 0, t.size())
	for by, marks := range t.marks {
		for k, m := range marks {
			all = append(all, kind(by).revocation(k, m))
		}
	}
	return all
}
