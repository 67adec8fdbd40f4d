package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/emamw/mcp-ema/idjag"
)

// readKeys loads the key files. The errors of idjag.LoadKeyFile name the file.
func (o *options) readKeys() (idjag.Keys, error) {
	var keys idjag.Keys
	if o.keyFile == "" {
		o.ephemeral = true
		keys.Current = idjag.DangerouslyEphemeralKey()
	} else {
		key, err := idjag.LoadKeyFile(o.keyFile)
		if err != nil {
			return keys, fmt.Errorf("-key: %w", err)
		}
		keys.Current = key
	}
	if o.nextKeyFile != "" {
		key, err := idjag.LoadKeyFile(o.nextKeyFile)
		if err != nil {
			return keys, fmt.Errorf("-next-key: %w", err)
		}
		keys.Next = &key
	}
	for _, path := range o.previousKeyFiles {
		key, err := idjag.LoadKeyFile(path)
		if err != nil {
			return keys, fmt.Errorf("-previous-key: %w", err)
		}
		keys.Previous = append(keys.Previous, key)
	}
	return keys, nil
}

// reloadOnHangup reads the policy and the key files again on SIGHUP. What is
// wrong is told and changes nothing. The signal is caught when it returns: one that
// came earlier would end the program, which has said by then that it is ready.
func reloadOnHangup(ctx context.Context, as *idjag.Server, o *options, stderr io.Writer) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		o.reloadOn(ctx, hangup, as, stderr)
	}()
}

func (o *options) reloadOn(ctx context.Context, hangup <-chan os.Signal, as *idjag.Server, stderr io.Writer) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		if err := o.reload(as); err != nil {
			fail(stderr, 0, err)
			continue
		}
		fmt.Fprintln(stderr, "authserver: policy and keys read again")
	}
}

// reload reads everything before it changes anything, so that a mistake in one
// file leaves both as they were.
func (o *options) reload(as *idjag.Server) error {
	policy, err := o.readPolicy()
	if err != nil {
		return err
	}
	keys, err := o.readKeys()
	if err != nil {
		return err
	}
	if o.policyFile != "" {
		if err := as.SetPolicy(policy); err != nil {
			return err
		}
	}
	if o.keyFile != "" { // a new key for this run would end every token
		if err := as.SetKeys(keys); err != nil {
			return errors.Join(err, o.restorePolicy(as))
		}
	}
	o.config.Policy = policy
	return nil
}

// restorePolicy puts back the policy that was in force.
func (o *options) restorePolicy(as *idjag.Server) error {
	if o.policyFile == "" {
		return nil
	}
	return as.SetPolicy(o.config.Policy)
}
