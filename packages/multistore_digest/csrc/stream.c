#include "stream.h"

#include <string.h>

#ifdef HAVE_KERNELS
#include <cpuid.h>

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static int has_avx512vl(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

static int has_sha_ni(void)
{
    unsigned int a, b, c, d;

    /* Not every compiler knows this one by name: leaf 7, EBX, bit 29. */
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("ssse3") &&
           __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#endif

enum { SHA512_AVX512VL, SHA512_AVX2, SHA256_SHA_NI };

const struct kernel KERNELS[] = {
#ifdef HAVE_KERNELS
    [SHA512_AVX512VL] = {"sha512", "avx512vl", 128, 64, has_avx512vl},
    [SHA512_AVX2] = {"sha512", "avx2", 128, 64, has_avx2},
    [SHA256_SHA_NI] = {"sha256", "sha_ni", 64, 32, has_sha_ni},
#endif
    {NULL, NULL, 0, 0, NULL},
};

/* RFC 1321 section 3.3; FIPS 180-4 sections 5.3.3 and 5.3.5. */
static const uint32_t MD5_START[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
static const uint32_t SHA256_START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint64_t SHA512_START[8] = {
    0x6a09e667f3bcc908ULL, 0xbb67ae8584caa73bULL, 0x3c6ef372fe94f82bULL, 0xa54ff53a5f1d36f1ULL,
    0x510e527fade682d1ULL, 0x9b05688c2b3e6c1fULL, 0x1f83d9abfb41bd6bULL, 0x5be0cd19137e2179ULL,
};

void stream_start(struct stream *stream, const struct kernel *kernel)
{
    memset(stream, 0, sizeof *stream);
    stream->kernel = kernel;
    memcpy(stream->md5, MD5_START, sizeof MD5_START);
    if (kernel->size == 64)
        memcpy(stream->sha.of64, SHA512_START, sizeof SHA512_START);
    else
        memcpy(stream->sha.of32, SHA256_START, sizeof SHA256_START);
}

static void take(struct stream *stream, const uint8_t *data, size_t blocks)
{
#ifdef HAVE_KERNELS
    switch (stream->kernel - KERNELS) {
    case SHA512_AVX512VL:
        fused_sha512_avx512vl(stream->md5, stream->sha.of64, data, blocks);
        break;
    case SHA512_AVX2:
        fused_sha512_avx2(stream->md5, stream->sha.of64, data, blocks);
        break;
    case SHA256_SHA_NI:
        fused_sha256_sha_ni(stream->md5, stream->sha.of32, data, blocks);
        break;
    }
#else
    (void)stream, (void)data, (void)blocks;
#endif
}

void stream_update(struct stream *stream, const uint8_t *data, size_t size)
{
    size_t block = stream->kernel->block;
    size_t held = stream->total % block;

    if (size == 0)
        return; /* data may be NULL */
    stream->total += size;
    if (held) {
        size_t missing = block - held;

        if (size < missing) {
            memcpy(stream->rest + held, data, size);
            return;
        }
        memcpy(stream->rest + held, data, missing);
        take(stream, stream->rest, 1);
        data += missing;
        size -= missing;
    }
    if (size >= block)
        take(stream, data, size / block);
    memcpy(stream->rest, data + size / block * block, size % block);
}

/* Takes blocks of 128 bytes into both, if there is a kernel that does. */
static int take_both(struct stream *stream, struct stream *part, const uint8_t *data, size_t blocks)
{
#ifdef HAVE_KERNELS
    int vector = stream->kernel == &KERNELS[SHA512_AVX512VL];

    switch (part->kernel - KERNELS) {
    case SHA256_SHA_NI:
        (vector ? fused_sha512_sha256_avx512vl : fused_sha512_sha256_avx2)(stream->md5, stream->sha.of64,
                                                                           part->sha.of32, data, blocks);
        return 1;
    case SHA512_AVX512VL:
        /* Whichever kernel the whole has: their states are alike. */
        fused_sha512_md5_avx512vl(stream->md5, stream->sha.of64, part->md5, data, blocks);
        return 1;
    }
#else
    (void)stream, (void)part, (void)data, (void)blocks;
#endif
    return 0;
}

void stream_update_both(struct stream *stream, struct stream *part, const uint8_t *data, size_t size)
{
    size_t whole = size / stream->kernel->block * stream->kernel->block;
    int between = stream->total % stream->kernel->block == 0 && part->total % part->kernel->block == 0;

    if (whole && between && take_both(stream, part, data, whole / stream->kernel->block)) {
        stream->total += whole;
        part->total += whole;
        data += whole;
        size -= whole;
    }
    stream_update(stream, data, size);
    stream_update(part, data, size);
}

/* The kernels have no md5 of a single half block, so the last blocks of md5 are done here, one round like the other. */
static void md5_block(uint32_t state[4], const uint8_t *data)
{
    static const uint8_t TURNS[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const uint8_t FIRST[4] = {0, 1, 5, 0}, STEP[4] = {1, 5, 3, 7};
#include "made/md5_keys.h"
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], words[16];

    for (int i = 0; i < 16; i++)
        words[i] = (uint32_t)data[4 * i] | (uint32_t)data[4 * i + 1] << 8 | (uint32_t)data[4 * i + 2] << 16 |
                   (uint32_t)data[4 * i + 3] << 24;
    for (int i = 0; i < 64; i++) {
        int turn = i / 16, word = (FIRST[turn] + STEP[turn] * i) % 16, by = TURNS[turn][i % 4];
        uint32_t f = turn == 0   ? ((c ^ d) & b) ^ d
                     : turn == 1 ? ((b ^ c) & d) ^ c
                     : turn == 2 ? b ^ c ^ d
                                 : c ^ (b | ~d);

        f += a + words[word] + MD5_KEYS[16 * turn + word];
        a = d;
        d = c;
        c = b;
        b += f << by | f >> (32 - by);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* Writes what is left, the bit 1, zeros and room for the length; gives the bytes, whole blocks. */
static size_t pad(const struct stream *stream, uint8_t *tail, size_t size, size_t block, size_t length)
{
    size_t held = stream->total % stream->kernel->block;
    size_t whole = (held + 1 + length + block - 1) / block * block;

    memset(tail, 0, size);
    memcpy(tail, stream->rest, held);
    tail[held] = 0x80;
    return whole;
}

void stream_md5(const struct stream *stream, uint8_t digest[MD5_SIZE])
{
    uint8_t tail[2 * LARGEST_BLOCK];
    size_t size = pad(stream, tail, sizeof tail, 64, 8);
    uint32_t state[4];

    for (int i = 0; i < 8; i++)
        tail[size - 8 + i] = (uint8_t)(stream->total << 3 >> 8 * i);
    memcpy(state, stream->md5, sizeof state);
    for (size_t at = 0; at < size; at += 64)
        md5_block(state, tail + at);
    for (int i = 0; i < MD5_SIZE; i++)
        digest[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
}

void stream_sha(const struct stream *stream, uint8_t digest[LARGEST_SHA])
{
    uint8_t tail[2 * LARGEST_BLOCK];
    size_t block = stream->kernel->block;
    size_t size = pad(stream, tail, sizeof tail, block, block / 8);
    struct stream last = *stream; /* its md5 is not looked at again */

    /* The upper 64 bits of sha512's length are not all zero: a length in bits has 67 of them. */
    if (block == 128)
        tail[size - 9] = (uint8_t)(stream->total >> 61);
    for (int i = 0; i < 8; i++)
        tail[size - 1 - i] = (uint8_t)(stream->total << 3 >> 8 * i);
    take(&last, tail, size / block);
    for (size_t i = 0; i < stream->kernel->size; i++)
        digest[i] = block == 128 ? (uint8_t)(last.sha.of64[i / 8] >> (56 - 8 * (i % 8)))
                                 : (uint8_t)(last.sha.of32[i / 4] >> (24 - 8 * (i % 4)));
}
