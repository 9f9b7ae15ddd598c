module github.com/normswap/normswap/plugin/ollama

go 1.26.0

require (
	github.com/normswap/normswap v0.0.0
	github.com/ollama/ollama v0.17.4
)

require (
	github.com/dlclark/regexp2 v1.12.0 // indirect
	github.com/emirpasic/gods/v2 v2.0.0-alpha // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/image v0.30.0 // indirect
	golang.org/x/sync v0.17.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.30.0 // indirect
)

replace github.com/normswap/normswap => ../..
