/* What the kernels are to the rest: functions that take whole blocks into both states. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Elsewhere the module builds too, offers no kernel, and hashlib does the work. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_KERNELS 1
#endif

#define ALIGNED __attribute__((aligned(64)))

#ifdef HAVE_KERNELS
/* blocks is at least 1; a block has 128 bytes with sha512, 64 with sha256. */
void fused_sha512_avx512vl(uint32_t *md5, uint64_t *sha, const uint8_t *data, size_t blocks);
void fused_sha512_avx2(uint32_t *md5, uint64_t *sha, const uint8_t *data, size_t blocks);
void fused_sha256_sha_ni(uint32_t *md5, uint32_t *sha, const uint8_t *data, size_t blocks);
/* The same with a digest of a part of the stream, which has a state of its own. */
void fused_sha512_sha256_avx512vl(uint32_t *md5, uint64_t *sha, uint32_t *part, const uint8_t *data, size_t blocks);
void fused_sha512_sha256_avx2(uint32_t *md5, uint64_t *sha, uint32_t *part, const uint8_t *data, size_t blocks);
void fused_sha512_md5_avx512vl(uint32_t *md5, uint64_t *sha, uint32_t *part, const uint8_t *data, size_t blocks);
#endif

#endif
