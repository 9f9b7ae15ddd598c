/* Tokenises with llama.cpp: the reference of reference.json.
 *
 *   cc -o reference reference.c -I LLAMA/include -I LLAMA/ggml/include -lllama
 *   reference VOCAB.gguf < cases
 *
 * Prints a line with BOS, EOS, whether each is added, and the ids that end a
 * generation; a line with the text of every token in hexadecimal; and a line of
 * ids for each case. A case is three little-endian uint32 (add special tokens,
 * parse special tokens, bytes of text) and the text. */
#include "llama.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void quiet(enum ggml_log_level level, const char *text, void *data) {
	(void)level, (void)text, (void)data;
}

int main(int argc, char **argv) {
	if (argc != 2) {
		fprintf(stderr, "usage: reference VOCAB.gguf < cases\n");
		return 2;
	}
	llama_log_set(quiet, NULL);
	struct llama_model_params params = llama_model_default_params();
	params.vocab_only = true;
	struct llama_model *model = llama_model_load_from_file(argv[1], params);
	if (!model) {
		fprintf(stderr, "%s: llama.cpp does not load it\n", argv[1]);
		return 1;
	}
	const struct llama_vocab *vocab = llama_model_get_vocab(model);
	printf("%d %d %d %d", llama_vocab_bos(vocab), llama_vocab_eos(vocab), llama_vocab_get_add_bos(vocab), llama_vocab_get_add_eos(vocab));
	for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); id++)
		if (llama_vocab_is_eog(vocab, id))
			printf(" %d", id);
	printf("\n");
	for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); id++) {
		char piece[256];
		int32_t n = llama_token_to_piece(vocab, id, piece, sizeof piece, 0, true);
		for (int32_t i = 0; i < n; i++)
			printf("%02x", (unsigned char)piece[i]);
		printf(" ");
	}
	printf("\n");
	uint32_t head[3];
	while (fread(head, sizeof head, 1, stdin) == 1) {
		char *text = malloc(head[2] + 1);
		int32_t max = 3 * (int32_t)head[2] + 8; /* a byte that is no UTF-8 may be three tokens */
		llama_token *ids = malloc(max * sizeof *ids);
		if (head[2] && fread(text, head[2], 1, stdin) != 1)
			return 1;
		int32_t n = llama_tokenize(vocab, text, (int32_t)head[2], ids, max, head[0], head[1]);
		for (int32_t i = 0; i < n; i++)
			printf("%s%d", i ? " " : "", ids[i]);
		printf("\n");
		free(text);
		free(ids);
	}
	llama_model_free(model);
	return 0;
}
