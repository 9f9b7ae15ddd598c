module github.com/normswap/normswap/tests/peers

go 1.26.0

require github.com/normswap/normswap v0.0.0

require (
	github.com/dlclark/regexp2 v1.12.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.28.0 // indirect
)

replace github.com/normswap/normswap => ../..
