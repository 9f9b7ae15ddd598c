// load measures a server of OpenAI's completions under load: tokens per second in
// all, and the time to the first token.
//
//	go run ./load -url http://127.0.0.1:8080/v1 -clients 1,2,4,8,16 -p 64 -n 32
//
// Each client sends one request after the other: a prompt of random words, of its own,
// and streams the answer. It works with infer serve and with llama-server alike.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	url      = flag.String("url", "http://127.0.0.1:8080/v1", "base `URL` of the server")
	counts   = flag.String("clients", "1,2,4,8,16", "numbers of clients at once")
	words    = flag.Int("p", 64, "words of a prompt")
	tokens   = flag.Int("n", 32, "tokens of an answer")
	requests = flag.Int("r", 3, "requests of each client")
)

func main() {
	flag.Parse()
	fmt.Println("| clients | tokens/s in all | first token p50 (ms) | p95 (ms) |\n|---:|---:|---:|---:|")
	for _, s := range strings.Split(*counts, ",") {
		n, err := strconv.Atoi(s)
		if err == nil && n > 0 {
			err = measure(n)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "load: %s clients: %v\n", s, err)
			os.Exit(1)
		}
	}
}

// measure prints the row of the table for a number of clients.
func measure(clients int) error {
	var mu sync.Mutex
	var first []time.Duration
	var failed error
	made := 0
	var wg sync.WaitGroup
	begun := time.Now()
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), uint64(clients)))
			for range *requests {
				wait, n, err := ask(rng)
				mu.Lock()
				first, made = append(first, wait), made+n
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	slices.Sort(first)
	at := func(share float64) float64 {
		return first[min(len(first)-1, int(share*float64(len(first))))].Seconds() * 1e3
	}
	fmt.Printf("| %d | %.1f | %.0f | %.0f |\n", clients, float64(made)/time.Since(begun).Seconds(), at(0.5), at(0.95))
	return nil
}

var vocabulary = strings.Fields("king wolf forest daughter gold river castle night old young said went gave took three seven the a and of in to his her")

// ask sends a request, and returns how long its first token took, and how many there
// were.
func ask(rng *rand.Rand) (first time.Duration, made int, err error) {
	var prompt []string
	for range *words {
		prompt = append(prompt, vocabulary[rng.IntN(len(vocabulary))])
	}
	body, err := json.Marshal(map[string]any{"prompt": strings.Join(prompt, " "), "max_tokens": *tokens, "temperature": 0, "stream": true, "ignore_eos": true})
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	r, err := http.Post(*url+"/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("status %s", r.Status)
	}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, "data: {") {
			if made++; made == 1 {
				first = time.Since(begun)
			}
		}
	}
	return first, min(made, *tokens), lines.Err()
}
