/* The words in which the generated kernels are written. */
#ifndef INTRINSICS_H
#define INTRINSICS_H

#include <immintrin.h>

/* GCC's reassociation would sum md5's terms in an order that puts the newest word first: the chain gets longer. */
#ifdef __clang__
#define KERNEL(features) __attribute__((target(features)))
#else
#define KERNEL(features) __attribute__((target(features), optimize("no-tree-reassoc")))
#endif
#define TARGET_AVX512VL KERNEL("avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi,bmi2")
#define TARGET_AVX512VL_SHA KERNEL("sha,avx512f,avx512vl,avx512dq,avx512bw,avx2,bmi,bmi2")
#define TARGET_AVX2 KERNEL("avx2,bmi,bmi2")
#define TARGET_AVX2_SHA KERNEL("sha,avx2,bmi,bmi2")
#define TARGET_SHA_NI KERNEL("sha,sse4.1,ssse3,bmi,bmi2")

#define ROL32(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define ROR64(x, n) ((x) >> (n) | (x) << (64 - (n)))

#define LOAD128(at) _mm_loadu_si128((const __m128i *)(at))
#define LOAD256(at) _mm256_loadu_si256((const __m256i *)(at))

/* Stores a vector plus constants.  The empty statement hides from the compiler what was stored: GCC would otherwise take
   single words out of the vector register again, which costs more than loading them. */
#define STORE_HIDDEN(at, type, store, value) \
    do { \
        store((type *)(at), value); \
        __asm__ volatile("" : "+m"(*(type *)(at))); \
    } while (0)
#define STORE_SUM32_128(at, x, keys) STORE_HIDDEN(at, __m128i, _mm_store_si128, _mm_add_epi32(x, LOAD128(keys)))
#define STORE_SUM32_256(at, x, keys) STORE_HIDDEN(at, __m256i, _mm256_store_si256, _mm256_add_epi32(x, LOAD256(keys)))
#define STORE_SUM64(at, x, keys) STORE_HIDDEN(at, __m256i, _mm256_store_si256, _mm256_add_epi64(x, LOAD256(keys)))

/* Big-endian words of the message. */
#define BIG_ENDIAN32(at) \
    _mm_shuffle_epi8(LOAD128(at), _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203))
#define BIG_ENDIAN64(at) \
    _mm256_shuffle_epi8(LOAD256(at), _mm256_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607, \
                                                       0x08090a0b0c0d0e0f, 0x0001020304050607))

/* Two lanes of 64 bits. */
#define LANES(lower, upper) _mm_set_epi64x((long long)(upper), (long long)(lower))
#define LOWER(x) ((uint64_t)_mm_cvtsi128_si64(x))
#define UPPER(x) ((uint64_t)_mm_extract_epi64(x, 1))

/* Functions of FIPS 180-4 section 4.1.3 on vectors. */
#define XOR3(x, y, z) _mm_ternarylogic_epi64(x, y, z, 0x96)
#define SMALL_SIGMA0(x) \
    _mm256_ternarylogic_epi64(_mm256_ror_epi64(x, 1), _mm256_ror_epi64(x, 8), _mm256_srli_epi64(x, 7), 0x96)
#define SMALL_SIGMA1(x) XOR3(_mm_ror_epi64(x, 19), _mm_ror_epi64(x, 61), _mm_srli_epi64(x, 6))

/* AVX2: the upper three words of older, then the first of newer; a rotation by whole bytes. */
#define SHIFTED_IN(newer, older) _mm256_permute4x64_epi64(_mm256_blend_epi32(older, newer, 3), 0x39)
#define ROR64_BY_8(x) \
    _mm256_shuffle_epi8(x, _mm256_set_epi64x(0x080f0e0d0c0b0a09, 0x0007060504030201, \
                                             0x080f0e0d0c0b0a09, 0x0007060504030201))

/* The SHA extensions want the state as (a b e f) and (c d g h), the highest word first. */
#define SHA256_ABCD(sha) _mm_shuffle_epi32(LOAD128(sha), 0xB1)
#define SHA256_EFGH(sha) _mm_shuffle_epi32(LOAD128((sha) + 4), 0x1B)
#define SHA256_FIRST(sha) _mm_alignr_epi8(SHA256_ABCD(sha), SHA256_EFGH(sha), 8)
#define SHA256_SECOND(sha) _mm_blend_epi16(SHA256_EFGH(sha), SHA256_ABCD(sha), 0xF0)
#define SHA256_STORE(sha, first, second) \
    do { \
        __m128i feba = _mm_shuffle_epi32(first, 0x1B), dchg = _mm_shuffle_epi32(second, 0xB1); \
        _mm_storeu_si128((__m128i *)(sha), _mm_blend_epi16(feba, dchg, 0xF0)); \
        _mm_storeu_si128((__m128i *)((sha) + 4), _mm_alignr_epi8(dchg, feba, 8)); \
    } while (0)

#endif
