// Embeddings, as llama-embedding computes them.

#include <time.h>

#include "peer.h"

static char * read_file(const char * path) {
    FILE * file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) die("%s: %s", path, strerror(errno));
    const long size = ftell(file);
    char *     text = check(malloc(size + 1), "malloc");
    rewind(file);
    if (fread(text, 1, size, file) != (size_t) size) die("%s: %s", path, strerror(errno));
    fclose(file);
    text[size] = 0;
    return text;
}

// Texts that are embedded in batches of whole texts: a batch has at most opt.b texts
// and `room` tokens.
struct embedder {
    struct llama_context *     ctx;
    const struct llama_vocab * vocab;
    struct llama_batch         batch;
    int                        room, width;
    int32_t *                  tokens; // of one text
    float *                    out;    // [texts x width]
};

// flush embeds the batch of n texts, whose vectors begin at out.
static void flush(struct embedder * e, int n, float * out) {
    if (n == 0) return;
    decode(e->ctx, e->batch);
    for (int s = 0; s < n; s++) {
        const float * v = check(llama_get_embeddings_seq(e->ctx, s), "reading an embedding");
        double        sum = 0;
        for (int i = 0; i < e->width; i++) sum += (double) v[i] * v[i];
        for (int i = 0; i < e->width; i++) out[s * e->width + i] = (float) (v[i] / sqrt(sum));
    }
    e->batch.n_tokens = 0;
}

// embed_all embeds the n texts and returns the number of their tokens.
static int embed_all(struct embedder * e, char ** texts, int n) {
    int all = 0, done = 0;
    for (int i = 0; i < n; i++) {
        const int count = llama_tokenize(e->vocab, texts[i], (int) strlen(texts[i]), e->tokens, e->room, true, false);
        if (count <= 0) die("text %d: has no tokens, or more than %d (%d)", i + 1, e->room, count);
        if (e->batch.n_tokens + count > e->room || i - done == opt.b) {
            flush(e, i - done, e->out + (size_t) done * e->width);
            done = i;
        }
        append(&e->batch, e->tokens, count, i - done);
        all += count;
    }
    flush(e, n - done, e->out + (size_t) done * e->width);
    return all;
}

// embed waits to be timed, as tests/embedders/peer.py does: it prints the number of
// tokens, and for each line on stdin the seconds of the clock and of the processor; a
// line "vectors PATH" has it write the embeddings there, as float32 of length 1. A batch
// has at most opt.ub tokens: all-MiniLM-L6-v2 is fastest with 256 of 64 to 2048, since
// attention is computed between all tokens of a batch.
void embed(void) {
    if (!opt.texts) die("embed needs --texts");
    char *  text  = read_file(opt.texts);
    char ** texts = check(malloc(sizeof(char *) * (strlen(text) + 1)), "malloc");
    int     n     = 0;
    const size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '\n') text[length - 1] = 0;
    for (char * line; (line = strsep(&text, "\n"));) texts[n++] = line; // an empty line is a text

    struct llama_model *        model  = load_model();
    struct llama_context_params params = llama_context_default_params();
    struct embedder             e      = { .vocab = llama_model_get_vocab(model), .room = opt.ub, .width = llama_model_n_embd(model) };
    params.n_ctx           = e.room;
    params.n_batch         = e.room;
    params.n_ubatch        = e.room;
    params.n_seq_max       = opt.b;
    params.kv_unified      = true;
    params.n_threads       = opt.t;
    params.n_threads_batch = opt.t;
    params.embeddings      = true;
    params.flash_attn_type = opt.flash;
    e.ctx                  = check(llama_init_from_model(model, params), "creating a context");
    if (llama_pooling_type(e.ctx) == LLAMA_POOLING_TYPE_NONE) die("%s: has no pooling", opt.model);
    e.batch  = llama_batch_init(e.room, 0, 1);
    e.tokens = check(malloc(sizeof(int32_t) * e.room), "malloc");
    e.out    = check(malloc(sizeof(float) * n * e.width), "malloc");

    printf("%d\n", embed_all(&e, texts, n));
    fflush(stdout);
    char line[4200];
    while (fgets(line, sizeof line, stdin)) {
        const double  start = seconds();
        const clock_t used  = clock();
        embed_all(&e, texts, n);
        const double clocked = seconds() - start, processor = (double) (clock() - used) / CLOCKS_PER_SEC;
        if (!strncmp(line, "vectors ", 8)) {
            line[strcspn(line, "\n")] = 0;
            FILE * file = fopen(line + 8, "wb");
            if (!file || fwrite(e.out, sizeof(float) * e.width, n, file) != (size_t) n || fclose(file) != 0) die("%s: %s", line + 8, strerror(errno));
        }
        printf("%.9f %.9f\n", clocked, processor);
        fflush(stdout);
    }
}
