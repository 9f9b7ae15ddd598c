package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// A binary is what a list is about.
type binary struct{ version, time, platform string }

// bom returns the CycloneDX list of a binary's parts. The same arguments give
// the same bytes: there is no serial number, and the time is the commit's.
func (b binary) bom(parts []part) ([]byte, error) {
	goos, goarch, _ := strings.Cut(b.platform, "/")
	main := cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: "infer", Version: b.version, Group: module,
		BOMRef: purl(module, b.version), PackageURL: purl(module, b.version) + "?goos=" + goos + "&goarch=" + goarch + "#cmd/infer",
		Licenses: licenses("MIT"),
	}
	var components []cdx.Component
	var refs []string
	for _, p := range parts {
		c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: p.name, Version: p.version, Licenses: licenses(p.license())}
		switch {
		case p.version != "":
			c.PackageURL = purl(p.name, p.version)
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.sum, "h1:"))
			if err != nil || len(sum) != 32 {
				return nil, fmt.Errorf("%s: the sum %q is no SHA-256 in base64", p.name, p.sum)
			}
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		case p.name == "Go standard library":
			c.Version = strings.TrimPrefix(runtime.Version(), "go")
			c.PackageURL = purl("std", c.Version)
		case p.data:
			c.Type = cdx.ComponentTypeData
		}
		c.BOMRef = c.PackageURL
		if c.BOMRef == "" {
			c.BOMRef = c.Name
		}
		components, refs = append(components, c), append(refs, c.BOMRef)
	}
	list := cdx.NewBOM()
	list.Metadata = &cdx.Metadata{Timestamp: b.time, Component: &main}
	list.Components = &components
	list.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	var out bytes.Buffer
	enc := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	err := enc.Encode(list)
	return out.Bytes(), err
}

func purl(path, version string) string { return "pkg:golang/" + path + "@" + version }

func licenses(expression string) *cdx.Licenses {
	if strings.Contains(expression, " ") {
		return &cdx.Licenses{{Expression: expression}}
	}
	return &cdx.Licenses{{License: &cdx.License{ID: expression}}}
}
