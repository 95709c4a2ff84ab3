//go:build tools

// Package dex makes Dex a dependency of this module, so that tests/providers/prepare can build it.
package dex

import _ "github.com/dexidp/dex/cmd/dex"
