//go:build tools

// Package dex says what the module is for: the program of that name is built from it (tests/providers/prepare).
package dex

import _ "github.com/dexidp/dex/cmd/dex"
