/* A stream of bytes into both digests: buffering, padding, and the choice of the kernel. */
#ifndef STREAM_H
#define STREAM_H

#include "kernels.h"

#define MD5_SIZE 16
#define LARGEST_SHA 64
#define LARGEST_BLOCK 128

struct kernel {
    const char *sha;   /* "sha512" or "sha256" */
    const char *level; /* the instructions that it needs */
    size_t block;      /* bytes that it takes at a time */
    size_t size;       /* of the SHA's digest, in bytes */
    int (*usable)(void);
};

struct stream {
    const struct kernel *kernel;
    uint32_t md5[4];
    union {
        uint32_t of32[8];
        uint64_t of64[8];
    } sha;
    uint64_t total; /* bytes so far */
    uint8_t rest[LARGEST_BLOCK]; /* of an unfinished block */
};

/* All kernels that were built, the fastest of each pair first; ends with one whose sha is NULL. */
extern const struct kernel KERNELS[];

void stream_start(struct stream *stream, const struct kernel *kernel);
void stream_update(struct stream *stream, const uint8_t *data, size_t size);
/* The same bytes into a stream of sha512 and into that of a part, of which one digest is kept: of sha256 the SHA, of sha512
   the md5. */
void stream_update_both(struct stream *stream, struct stream *part, const uint8_t *data, size_t size);
/* Both digests of everything so far; the stream can go on. */
void stream_md5(const struct stream *stream, uint8_t digest[MD5_SIZE]);
void stream_sha(const struct stream *stream, uint8_t digest[LARGEST_SHA]);

#endif
