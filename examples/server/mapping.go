package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/emamw/mcp-ema/claims"
)

// mappingOf returns the claim mapping that the flags name.
func mappingOf(preset string, vars []string, file string) (claims.Mapping, error) {
	if file != "" {
		return mappingFrom(file)
	}
	values := map[string]string{}
	for _, v := range vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return claims.Mapping{}, errors.New("-preset-var " + v + ": use name=value")
		}
		values[name] = value
	}
	mapping, err := claims.Preset(preset, values)
	if err != nil {
		return claims.Mapping{}, fmt.Errorf("-preset: %w", err)
	}
	return mapping, nil
}

func mappingFrom(file string) (mapping claims.Mapping, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return mapping, fmt.Errorf("-claims: %w", err)
	}
	if err := json.Unmarshal(text, &mapping); err != nil {
		return mapping, fmt.Errorf("-claims %s: %w", file, err)
	}
	return mapping, nil
}
