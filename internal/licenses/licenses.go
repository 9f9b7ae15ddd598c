// Package licenses holds the names and licenses of what the program infer is
// made of beside this repository's own code.
package licenses

import _ "embed"

// Notice lists the parts, "name version  SPDX expression" on a line each, and
// then their license texts.
//
//go:generate go run -C ../../scripts/licenses . -o ../../internal/licenses/NOTICE
//go:embed NOTICE
var Notice string
