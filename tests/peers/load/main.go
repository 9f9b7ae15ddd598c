// load measures servers of OpenAI's completions under load: tokens per second in all, and
// the time to the first token.
//
//	go run ./load -clients 1,2,4,8,16 -p 64 -n 32 infer=http://127.0.0.1:8080/v1 llama-server=http://127.0.0.1:8081/v1
//
// Each client sends one request after the other: a prompt of random words, of its own,
// and streams the answer. Servers take turns, round by round, each first in its share of
// the rounds; the table has the medians of the rounds.
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

	"github.com/normswap/normswap/internal/contender"
)

var (
	counts   = flag.String("clients", "1,2,4,8,16", "numbers of clients at once")
	words    = flag.Int("p", 64, "words of a prompt")
	tokens   = flag.Int("n", 32, "tokens of an answer")
	requests = flag.Int("r", 3, "requests of each client in a round")
	rounds   = flag.Int("rounds", 3, "`rounds`")
)

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(servers []string) error {
	if len(servers) == 0 || *rounds < 1 || *requests < 1 {
		return fmt.Errorf("want servers as NAME=URL, and -rounds and -r of at least 1")
	}
	fmt.Println("| clients | server | tokens/s in all | first token p50 (ms) | p95 (ms) |\n|---:|---|---:|---:|---:|")
	for _, s := range strings.Split(*counts, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("-clients %s: want numbers", *counts)
		}
		results := make([][][3]float64, len(servers))
		for round := range *rounds {
			for i := range servers {
				at := (round + i) % len(servers)
				_, url, _ := strings.Cut(servers[at], "=")
				r, err := measure(url, n)
				if err != nil {
					return fmt.Errorf("%s, %d clients: %w", servers[at], n, err)
				}
				results[at] = append(results[at], r)
			}
		}
		for i, server := range servers {
			name, _, _ := strings.Cut(server, "=")
			fmt.Printf("| %d | %s | %.1f | %.0f | %.0f |\n", n, name, median(results[i], 0), median(results[i], 1), median(results[i], 2))
		}
	}
	return nil
}

// median is that of a column.
func median(rows [][3]float64, column int) float64 {
	var values []float64
	for _, r := range rows {
		values = append(values, r[column])
	}
	return contender.Median(values)
}

// measure returns tokens per second, and half of the first tokens came within so many
// milliseconds, and 95 % of them.
func measure(url string, clients int) (r [3]float64, err error) {
	var mu sync.Mutex
	var first []time.Duration
	var failed error
	made := 0
	var wg sync.WaitGroup
	begun := time.Now()
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), uint64(begun.UnixNano())))
			for range *requests {
				wait, n, err := ask(url, rng)
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
		return r, failed
	}
	seconds := time.Since(begun).Seconds()
	slices.Sort(first)
	at := func(share float64) float64 {
		return first[min(len(first)-1, int(share*float64(len(first))))].Seconds() * 1e3
	}
	return [3]float64{float64(made) / seconds, at(0.5), at(0.95)}, nil
}

var vocabulary = strings.Fields("king wolf forest daughter gold river castle night old young said went gave took three seven the a and of in to his her")

// client makes a connection for each request: llama-server closes those that it has
// streamed to.
var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// ask sends a request, and returns how long its first token took, and how many there
// were.
func ask(url string, rng *rand.Rand) (first time.Duration, made int, err error) {
	var prompt []string
	for range *words {
		prompt = append(prompt, vocabulary[rng.IntN(len(vocabulary))])
	}
	body, err := json.Marshal(map[string]any{"prompt": strings.Join(prompt, " "), "max_tokens": *tokens, "temperature": 0, "stream": true,
		"stream_options": map[string]any{"include_usage": true}, "ignore_eos": true})
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	r, err := client.Post(url+"/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("status %s", r.Status)
	}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: {")
		if !ok {
			continue
		}
		var event struct {
			Choices []struct{ Text string }
			Usage   *struct {
				Made int `json:"completion_tokens"`
			}
		}
		if err := json.Unmarshal([]byte("{"+data), &event); err != nil {
			return 0, 0, err
		}
		if first == 0 && len(event.Choices) > 0 && event.Choices[0].Text != "" {
			first = time.Since(begun)
		}
		if event.Usage != nil {
			made = event.Usage.Made
		}
	}
	if err := lines.Err(); err != nil {
		return 0, 0, err
	}
	if made != *tokens {
		return 0, 0, fmt.Errorf("%d tokens in place of %d", made, *tokens)
	}
	return first, made, nil
}
