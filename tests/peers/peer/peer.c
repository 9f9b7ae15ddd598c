// peer drives stock llama.cpp: the reference and the opponent of the scripts in
// this folder. It links against the prebuilt libraries that the npm package
// node-llama-cpp ships, so that no interpreter stands between a measurement and
// the library. `./compare --install` compiles it.
//
//   peer logits MODEL --tokens 3,8,13 --out FILE [-t N]
//   peer greedy MODEL (--tokens 3,8,13 | --prompt TEXT) [-n N] [-t N]
//   peer bench  MODEL [-p 512] [-n 128] [-d 0] [-r 5] [-t N] [--format jsonl] [--no-repack]
//               [--sessions 1,2,4,8]   instead of -n alone: sequences that generate at once, as llama-batched-bench
//   peer norms  [--dims 768,2048] [--rows 16]
//   peer quantize MODEL --ftype 7 --out FILE   (a value of enum llama_ftype)
//
// PEER_CPU=haswell (or any libggml-cpu-NAME.so) forces a variant of ggml's CPU
// kernels; without it ggml chooses the best one for the machine, as llama.cpp does.

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "llama.h"

#ifndef PEER_LIBS
#error "compile with -DPEER_LIBS='\"folder of libllama\"'"
#endif

static void die(const char * format, ...) {
    va_list args;
    va_start(args, format);
    fputs("peer: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static void * check(void * p, const char * what) {
    if (!p) die("%s failed", what);
    return p;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void quiet(enum ggml_log_level level, const char * text, void * user) {
    (void) user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

// Options, one set for all commands.
static struct {
    const char * model;
    const char * tokens;
    const char * prompt;
    const char * out;
    const char * dims;
    const char * sessions;
    int          p, n, d, r, t, rows, ftype;
    bool         repack;
} opt = { .dims = "768,2048,4096,8192", .p = 512, .n = 128, .r = 5, .t = 1, .rows = 16, .repack = true };

// parse_list reads "3,8,13" into a fresh array.
static int parse_list(const char * text, int32_t ** list) {
    int n = 0;
    *list = check(malloc(sizeof(int32_t) * (strlen(text) + 1)), "malloc");
    while (*text) {
        char * end;
        errno            = 0;
        const long value = strtol(text, &end, 10);
        if (end == text || errno || value < 0 || value > INT32_MAX) die("not a list of numbers at %s", text);
        (*list)[n++] = (int32_t) value;
        text         = *end == ',' ? end + 1 : end;
    }
    if (n == 0) die("an empty list");
    return n;
}

static ggml_backend_reg_t cpu;

static void load_backends(void) {
    llama_log_set(quiet, NULL);
    const char * variant = getenv("PEER_CPU");
    if (variant) {
        char path[4096];
        snprintf(path, sizeof path, "%s/libggml-cpu-%s.so", PEER_LIBS, variant);
        check(ggml_backend_load(path), path);
    } else {
        ggml_backend_load_all_from_path(PEER_LIBS);
    }
    ggml_backend_dev_t device = check(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), "finding ggml's CPU back end");
    cpu = ggml_backend_dev_backend_reg(device);
    llama_backend_init();
}

static struct llama_model * load_model(void) {
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers              = 0;
    params.use_extra_bufts           = opt.repack;
    struct llama_model * model       = llama_model_load_from_file(opt.model, params);
    if (!model) die("llama.cpp does not load %s", opt.model);
    return model;
}

// exact_context computes as the reference files were computed: an F32 cache, no
// flash attention, one batch.
static struct llama_context * exact_context(struct llama_model * model, int n_ctx) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx           = n_ctx;
    params.n_batch         = n_ctx;
    params.n_ubatch        = n_ctx;
    params.n_threads       = opt.t;
    params.n_threads_batch = opt.t;
    params.type_k          = GGML_TYPE_F32;
    params.type_v          = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    return check(llama_init_from_model(model, params), "creating a context");
}

static void decode(struct llama_context * ctx, struct llama_batch batch) {
    const int status = llama_decode(ctx, batch);
    if (status != 0) die("llama_decode returned %d", status);
    llama_synchronize(ctx);
}

// logits writes float32 [tokens x vocabulary] and says what llama.cpp took the
// model for.
static void logits(void) {
    if (!opt.tokens || !opt.out) die("logits needs --tokens and --out");
    struct llama_model * model   = load_model();
    const int            n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    int32_t *            tokens;
    const int            n = parse_list(opt.tokens, &tokens);

    struct llama_context * ctx   = exact_context(model, n);
    struct llama_batch     batch = llama_batch_init(n, 0, 1);
    batch.n_tokens               = n;
    for (int i = 0; i < n; i++) {
        if (tokens[i] >= n_vocab) die("token %d is outside the vocabulary of %d", tokens[i], n_vocab);
        batch.token[i]     = tokens[i];
        batch.pos[i]       = i;
        batch.n_seq_id[i]  = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i]    = 1;
    }
    decode(ctx, batch);

    FILE * file = fopen(opt.out, "wb");
    if (!file) die("%s: %s", opt.out, strerror(errno));
    for (int i = 0; i < n; i++) {
        const float * row = check(llama_get_logits_ith(ctx, i), "reading the logits");
        if (fwrite(row, sizeof(float), n_vocab, file) != (size_t) n_vocab) die("%s: %s", opt.out, strerror(errno));
    }
    if (fclose(file) != 0) die("%s: %s", opt.out, strerror(errno));

    char architecture[64];
    if (llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture) < 0) die("no general.architecture");
    printf("{\"architecture\":\"%s\"}\n", architecture);
}

static void print_ids(const char * name, const int32_t * ids, int n) {
    printf("\"%s\":[", name);
    for (int i = 0; i < n; i++) printf("%s%d", i ? "," : "", ids[i]);
    printf("]");
}

// greedy prints the prompt's ids and those of the most likely continuation.
static void greedy(void) {
    struct llama_model *       model   = load_model();
    const struct llama_vocab * vocab   = llama_model_get_vocab(model);
    const int                  n_vocab = llama_vocab_n_tokens(vocab);
    int32_t *                  tokens;
    int                        n;
    if (opt.tokens) {
        n = parse_list(opt.tokens, &tokens);
    } else if (opt.prompt) {
        const int room = (int) strlen(opt.prompt) + 8;
        tokens         = check(malloc(sizeof(int32_t) * room), "malloc");
        n              = llama_tokenize(vocab, opt.prompt, (int) strlen(opt.prompt), tokens, room, true, true);
        if (n <= 0) die("the prompt has no tokens (%d)", n);
    } else {
        die("greedy needs --tokens or --prompt");
    }

    struct llama_context * ctx = exact_context(model, n + opt.n);
    int32_t *              ids = check(malloc(sizeof(int32_t) * (opt.n + 1)), "malloc");
    for (int i = 0; i < opt.n; i++) {
        decode(ctx, i == 0 ? llama_batch_get_one(tokens, n) : llama_batch_get_one(&ids[i - 1], 1));
        const float * row = check(llama_get_logits_ith(ctx, -1), "reading the logits");
        ids[i]            = 0;
        for (int v = 1; v < n_vocab; v++) {
            if (row[v] > row[ids[i]]) ids[i] = v;
        }
    }
    printf("{");
    print_ids("prompt", tokens, n);
    printf(",");
    print_ids("ids", ids, opt.n);
    printf("}\n");
}

typedef struct ggml_threadpool * (*threadpool_new)(struct ggml_threadpool_params *);
typedef void (*threadpool_free)(struct ggml_threadpool *);

// run_tokens evaluates n random tokens, `step` at a time.
static void run_tokens(struct llama_context * ctx, int n, int step) {
    const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(ctx)));
    int32_t * tokens  = check(malloc(sizeof(int32_t) * step), "malloc");
    for (int done = 0; done < n; done += step) {
        const int count = n - done < step ? n - done : step;
        for (int i = 0; i < count; i++) tokens[i] = rand() % n_vocab;
        decode(ctx, llama_batch_get_one(tokens, count));
    }
    free(tokens);
}

// bench_one times one test as llama-bench does: a context of just the length
// needed, its defaults for everything else, a resident thread pool, a warm-up.
static void bench_one(struct llama_model * model, bool prefill, int n) {
    const int batch = 2048;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx           = opt.d + n;
    params.n_batch         = batch;
    params.n_ubatch        = 512;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    struct llama_context * ctx = check(llama_init_from_model(model, params), "creating a context");

    struct ggml_threadpool_params pool_params = ggml_threadpool_params_default(opt.t);
    threadpool_new  pool_new  = (threadpool_new) check(ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_new"), "finding ggml_threadpool_new");
    threadpool_free pool_free = (threadpool_free) check(ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_free"), "finding ggml_threadpool_free");
    struct ggml_threadpool * pool = check(pool_new(&pool_params), "creating a thread pool");
    llama_attach_threadpool(ctx, pool, NULL);
    llama_set_n_threads(ctx, opt.t, opt.t);

    const int step = prefill ? batch : 1;
    run_tokens(ctx, prefill ? n : 1, step);
    for (int i = 0; i < opt.r; i++) {
        llama_memory_clear(llama_get_memory(ctx), false);
        if (opt.d > 0) run_tokens(ctx, opt.d, batch);
        const double start = seconds();
        run_tokens(ctx, n, step);
        char depth[32] = "";
        if (opt.d > 0) snprintf(depth, sizeof depth, "@d%d", opt.d);
        printf("{\"test\":\"%s%d%s\",\"n_threads\":%d,\"avg_ts\":%.4f}\n", prefill ? "pp" : "tg", n, depth, opt.t, n / (seconds() - start));
        fflush(stdout);
    }
    llama_free(ctx);
    pool_free(pool);
}

// bench_sessions times the generating of some sequences at once, as
// llama-batched-bench does: a batch of one random token of each, logits of all.
static void bench_sessions(struct llama_model * model, int n_seq) {
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx           = n_seq * (opt.d + opt.n + 1);
    params.n_seq_max       = n_seq;
    params.n_batch         = 2048;
    params.n_ubatch        = 512;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    struct llama_context * ctx = check(llama_init_from_model(model, params), "creating a context");
    struct ggml_threadpool_params pool_params = ggml_threadpool_params_default(opt.t);
    threadpool_new  pool_new  = (threadpool_new) check(ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_new"), "finding ggml_threadpool_new");
    threadpool_free pool_free = (threadpool_free) check(ggml_backend_reg_get_proc_address(cpu, "ggml_threadpool_free"), "finding ggml_threadpool_free");
    struct ggml_threadpool * pool = check(pool_new(&pool_params), "creating a thread pool");
    llama_attach_threadpool(ctx, pool, NULL);
    llama_set_n_threads(ctx, opt.t, opt.t);

    const int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    struct llama_batch batch = llama_batch_init(n_seq, 0, 1);
    for (int i = -1; i < opt.r; i++) { // the first one warms up
        llama_memory_clear(llama_get_memory(ctx), false);
        double start = seconds();
        for (int pos = 0; pos < opt.d + opt.n; pos++) {
            if (pos == opt.d) start = seconds();
            batch.n_tokens = n_seq;
            for (int s = 0; s < n_seq; s++) {
                batch.token[s]     = rand() % n_vocab;
                batch.pos[s]       = pos;
                batch.n_seq_id[s]  = 1;
                batch.seq_id[s][0] = s;
                batch.logits[s]    = true;
            }
            decode(ctx, batch);
            if (i < 0 && pos == opt.d + 8) break;
        }
        char depth[32] = "";
        if (opt.d > 0) snprintf(depth, sizeof depth, " @ d%d", opt.d);
        if (i >= 0) printf("{\"test\":\"tg%d x %d%s\",\"n_threads\":%d,\"avg_ts\":%.4f}\n", opt.n, n_seq, depth, opt.t, opt.n * n_seq / (seconds() - start));
        fflush(stdout);
    }
    llama_batch_free(batch);
    llama_free(ctx);
    pool_free(pool);
}

static void bench(void) {
    struct llama_model * model = load_model();
    if (opt.p > 0) bench_one(model, true, opt.p);
    if (opt.sessions) {
        int32_t * counts;
        const int n = parse_list(opt.sessions, &counts);
        for (int i = 0; i < n; i++) bench_sessions(model, counts[i]);
    } else if (opt.n > 0) {
        bench_one(model, false, opt.n);
    }
}

// The chains that norms() times, as llama.cpp's graphs build them.
enum { LAYER_NORM, RMS_NORM, CHAINS };
static const char * chain_names[CHAINS] = { "norm+mul+add", "rms_norm+mul" };

static double time_chain(ggml_backend_t backend, int chain, int d, int rows) {
    enum { LINKS = 8 };
    struct ggml_init_params params = { .mem_size = 1 << 20, .no_alloc = true };
    struct ggml_context *   ctx    = check(ggml_init(params), "ggml_init");
    struct ggml_tensor *    x      = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, d, rows);
    struct ggml_tensor *    gain   = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, d);
    struct ggml_tensor *    bias   = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, d);
    ggml_backend_buffer_t   inputs = check(ggml_backend_alloc_ctx_tensors(ctx, backend), "allocating tensors");

    struct ggml_tensor * y = x;
    for (int i = 0; i < LINKS; i++) {
        if (chain == LAYER_NORM) {
            y = ggml_add(ctx, ggml_mul(ctx, ggml_norm(ctx, y, 1e-5f), gain), bias);
        } else {
            y = ggml_mul(ctx, ggml_rms_norm(ctx, y, 1e-5f), gain);
        }
    }
    struct ggml_cgraph * graph = ggml_new_graph(ctx);
    ggml_build_forward_expand(graph, y);
    ggml_gallocr_t alloc = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
    if (!ggml_gallocr_alloc_graph(alloc, graph)) die("allocating a graph failed");

    float * data = check(malloc(sizeof(float) * d * rows), "malloc");
    for (int i = 0; i < d * rows; i++) data[i] = (float) rand() / RAND_MAX - 0.3f;
    ggml_backend_tensor_set(x, data, 0, ggml_nbytes(x));
    ggml_backend_tensor_set(bias, data, 0, ggml_nbytes(bias));
    for (int i = 0; i < d; i++) data[i] += 1;
    ggml_backend_tensor_set(gain, data, 0, ggml_nbytes(gain));

    double best = INFINITY;
    for (int round = 0; round < 10; round++) {
        int          graphs = 0;
        const double start  = seconds();
        double       spent;
        do {
            if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) die("computing a graph failed");
            graphs++;
            spent = seconds() - start;
        } while (spent < 1e-3);
        if (spent / graphs < best) best = spent / graphs;
    }
    ggml_backend_tensor_get(y, data, 0, ggml_nbytes(y));
    for (int i = 0; i < d * rows; i++) {
        if (!isfinite(data[i])) die("%s gave a value that is not finite", chain_names[chain]);
    }
    free(data);
    ggml_gallocr_free(alloc);
    ggml_backend_buffer_free(inputs);
    ggml_free(ctx);
    return best / rows / LINKS;
}

// norms prints the best time per row in nanoseconds, one thread, rows in cache.
static void norms(void) {
    ggml_backend_t backend = check(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, NULL), "creating ggml's CPU back end");
    ggml_backend_set_n_threads_t set_threads =
        (ggml_backend_set_n_threads_t) check(ggml_backend_reg_get_proc_address(cpu, "ggml_backend_set_n_threads"), "finding ggml_backend_set_n_threads");
    set_threads(backend, 1);
    int32_t * dims;
    const int n = parse_list(opt.dims, &dims);
    for (int chain = 0; chain < CHAINS; chain++) {
        for (int i = 0; i < n; i++) {
            printf("{\"op\":\"%s\",\"d\":%d,\"rows\":%d,\"ns\":%.1f}\n", chain_names[chain], dims[i], opt.rows, 1e9 * time_chain(backend, chain, dims[i], opt.rows));
            fflush(stdout);
        }
    }
    ggml_backend_free(backend);
}

// quantize writes the model in another type, as llama-quantize does.
static void quantize(void) {
    if (!opt.out) die("quantize needs --out");
    struct llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype   = opt.ftype;
    params.nthread = opt.t;
    if (llama_model_quantize(opt.model, opt.out, &params) != 0) die("llama.cpp does not quantise %s", opt.model);
}

static int number(const char * text, int least) {
    char *     end;
    const long value = strtol(text, &end, 10);
    if (end == text || *end || value < least || value > 1 << 24) die("%s is not a number of at least %d", text, least);
    return (int) value;
}

int main(int argc, char ** argv) {
    const char * command = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i++) {
        const char * arg = argv[i];
        if (arg[0] != '-') {
            opt.model = arg;
            continue;
        }
        if (!strcmp(arg, "--no-repack")) {
            opt.repack = false;
            continue;
        }
        if (++i == argc) die("%s needs a value", arg);
        const char * value = argv[i];
        if (!strcmp(arg, "--tokens")) opt.tokens = value;
        else if (!strcmp(arg, "--prompt")) opt.prompt = value;
        else if (!strcmp(arg, "--out")) opt.out = value;
        else if (!strcmp(arg, "--format") && !strcmp(value, "jsonl")) continue;
        else if (!strcmp(arg, "--dims")) opt.dims = value;
        else if (!strcmp(arg, "--sessions")) opt.sessions = value;
        else if (!strcmp(arg, "--rows")) opt.rows = number(value, 1);
        else if (!strcmp(arg, "--ftype")) opt.ftype = number(value, 0);
        else if (!strcmp(arg, "-p")) opt.p = number(value, 0);
        else if (!strcmp(arg, "-n")) opt.n = number(value, 0);
        else if (!strcmp(arg, "-d")) opt.d = number(value, 0);
        else if (!strcmp(arg, "-r")) opt.r = number(value, 1);
        else if (!strcmp(arg, "-t")) opt.t = number(value, 1);
        else die("unknown option %s", arg);
    }
    void (*run)(void) = !strcmp(command, "logits") ? logits
                      : !strcmp(command, "greedy") ? greedy
                      : !strcmp(command, "bench")  ? bench
                      : !strcmp(command, "norms")  ? norms
                      : !strcmp(command, "quantize") ? quantize
                                                     : NULL;
    if (!run) die("usage: peer logits|greedy|bench|norms|quantize [MODEL] [options]; see the top of peer.c");
    if (run != norms && !opt.model) die("%s needs a model", command);
    load_backends();
    run();
    return 0;
}
