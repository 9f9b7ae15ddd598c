// peer drives stock llama.cpp: the reference and the opponent of the scripts in
// this folder. It links against the prebuilt libraries that the npm package
// node-llama-cpp ships, or those of a build for this processor, so that no
// interpreter stands between a measurement and the library. `./compare --install`
// compiles it.
//
//   peer logits MODEL --tokens 3,8,13 --out FILE [-t N]
//   peer greedy MODEL (--tokens 3,8,13 | --prompt TEXT) [-n N] [-t N]
//   peer bench  MODEL [-p 512] [-n 128] [-d 0] [-r 5] [-t N] [-fa auto|on|off] [--format jsonl] [--no-repack]
//               [--load mmap|none]     the weights in the mapping of their file, or read into memory
//               [--sessions 1,2,4,8]   instead of -n alone: sequences that generate at once, as llama-batched-bench
//   peer embed  MODEL --texts FILE [-b 32] [-ub 256] [-t N]   (answers lines on stdin; see embed.c)
//   peer norms  [--dims 768,2048] [--rows 16]
//   peer quantize MODEL --ftype 7 --out FILE   (a value of enum llama_ftype)
//   peer version
//
// PEER_CPU=haswell (or any libggml-cpu-NAME.so) forces a variant of ggml's CPU
// kernels; without it ggml chooses the best one for the machine, as llama.cpp does.

#include <dlfcn.h>
#include <libgen.h>
#include <stdarg.h>
#include <time.h>

#include "peer.h"

void die(const char * format, ...) {
    va_list args;
    va_start(args, format);
    fputs("peer: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

void * check(void * p, const char * what) {
    if (!p) die("%s failed", what);
    return p;
}

double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void quiet(enum ggml_log_level level, const char * text, void * user) {
    (void) user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

struct options opt = {
    .dims = "768,2048,4096,8192", .p = 512, .n = 128, .r = 5, .t = 1, .b = 32, .ub = 256, .rows = 16, .repack = true,
    .load = LLAMA_LOAD_MODE_MMAP, .flash = LLAMA_FLASH_ATTN_TYPE_AUTO,
};

int parse_list(const char * text, int32_t ** list) {
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

ggml_backend_reg_t cpu;

// libraries is the folder that libllama was loaded from.
static const char * libraries(void) {
    Dl_info info;
    if (!dladdr((void *) llama_backend_init, &info)) die("dladdr does not find libllama");
    return dirname(check(strdup(info.dli_fname), "strdup"));
}

static void load_backends(void) {
    llama_log_set(quiet, NULL);
    // The headers are those of this release: another one may lay its structs out differently.
    if (strncmp(llama_version(), "0.5.0", 5) != 0) die("%s has llama.cpp %s, want 0.5.0", libraries(), llama_version());
    const char * variant = getenv("PEER_CPU");
    if (variant) {
        char path[4096];
        snprintf(path, sizeof path, "%s/libggml-cpu-%s.so", libraries(), variant);
        check(ggml_backend_load(path), path);
    } else {
        ggml_backend_load_all_from_path(libraries()); // a build for one processor has its kernels without that
    }
    ggml_backend_dev_t device = check(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), "finding ggml's CPU back end");
    cpu = ggml_backend_dev_backend_reg(device);
    llama_backend_init();
}

struct llama_model * load_model(void) {
    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers              = 0;
    params.use_extra_bufts           = opt.repack;
    params.load_mode                 = opt.load;
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

void decode(struct llama_context * ctx, struct llama_batch batch) {
    const int status = llama_decode(ctx, batch);
    if (status != 0) die("llama_decode returned %d", status);
    llama_synchronize(ctx);
}

void append(struct llama_batch * batch, const int32_t * tokens, int n, int sequence) {
    for (int i = 0; i < n; i++) {
        const int at         = batch->n_tokens++;
        batch->token[at]     = tokens[i];
        batch->pos[at]       = i;
        batch->n_seq_id[at]  = 1;
        batch->seq_id[at][0] = sequence;
        batch->logits[at]    = 1;
    }
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
    for (int i = 0; i < n; i++) {
        if (tokens[i] >= n_vocab) die("token %d is outside the vocabulary of %d", tokens[i], n_vocab);
    }
    append(&batch, tokens, n, 0);
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

// quantize writes the model in another type, as llama-quantize does.
static void quantize(void) {
    if (!opt.out) die("quantize needs --out");
    struct llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype   = opt.ftype;
    params.nthread = opt.t;
    if (llama_model_quantize(opt.model, opt.out, &params) != 0) die("llama.cpp does not quantise %s", opt.model);
}

// version prints what the libraries are, and what ggml's kernels use.
static void version(void) {
    printf("{\"version\":\"%s\",\"system\":\"%s\"}\n", llama_version(), llama_print_system_info());
}

// choice returns the position of a value in a list of names.
static int choice(const char * option, const char * value, const char * const * names, int n) {
    for (int i = 0; i < n; i++) {
        if (!strcmp(value, names[i])) return i;
    }
    die("%s does not know %s", option, value);
    return 0;
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
        else if (!strcmp(arg, "--texts")) opt.texts = value;
        else if (!strcmp(arg, "--load")) opt.load = choice(arg, value, (const char *[]) { "none", "mmap" }, 2); // LLAMA_LOAD_MODE_NONE is 0
        else if (!strcmp(arg, "-fa")) opt.flash = choice(arg, value, (const char *[]) { "auto", "off", "on" }, 3) - 1; // LLAMA_FLASH_ATTN_TYPE_AUTO is -1
        else if (!strcmp(arg, "--rows")) opt.rows = number(value, 1);
        else if (!strcmp(arg, "--ftype")) opt.ftype = number(value, 0);
        else if (!strcmp(arg, "-p")) opt.p = number(value, 0);
        else if (!strcmp(arg, "-n")) opt.n = number(value, 0);
        else if (!strcmp(arg, "-d")) opt.d = number(value, 0);
        else if (!strcmp(arg, "-r")) opt.r = number(value, 1);
        else if (!strcmp(arg, "-t")) opt.t = number(value, 1);
        else if (!strcmp(arg, "-b")) opt.b = number(value, 1);
        else if (!strcmp(arg, "-ub")) opt.ub = number(value, 1);
        else die("unknown option %s", arg);
    }
    void (*run)(void) = !strcmp(command, "logits") ? logits
                      : !strcmp(command, "greedy") ? greedy
                      : !strcmp(command, "bench")  ? bench
                      : !strcmp(command, "embed")  ? embed
                      : !strcmp(command, "norms")  ? norms
                      : !strcmp(command, "quantize") ? quantize
                      : !strcmp(command, "version") ? version
                                                     : NULL;
    if (!run) die("usage: peer logits|greedy|bench|embed|norms|quantize|version [MODEL] [options]; see the top of peer.c");
    if (run != norms && run != version && !opt.model) die("%s needs a model", command);
    load_backends();
    run();
    return 0;
}
