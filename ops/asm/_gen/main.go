// Command gen writes one family of the amd64 kernels of package asm.
package main

import (
	"flag"
	"log"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
)

const rodata = attr.RODATA | attr.NOPTR

// families maps the -family flag to the function that emits its kernels.
var families = map[string]func(){
	"attention": attention,
	"float":     float,
	"norm":      norm,
	"pool":      pool,
	"probe":     probe,
	"vec":       vec,
	"quantize":  quantizeFamily,
	"gemm":      gemmFamily,
	"gemv":      gemvFamily,
	"dotq8":     dotQ8Family,
	"unpack":    unpackFamily,
	"columns":   columnsFamily,
	"transpose": transposeFamily,
}

func main() {
	family := flag.String("family", "", "which kernels to generate")
	flag.Parse() // avo registers -out, -stubs and -pkg on the same set
	if *family == "types" {
		typeTables(flag.Lookup("out").Value.String())
		return
	}
	emit, ok := families[*family]
	if !ok {
		log.Fatalf("gen: unknown -family %q", *family)
	}
	ConstraintExpr("!purego")
	emit()
	Generate()
}
