// Small computations whose answers are known from elsewhere: checksums and a digest by their published
// test values, the rest by a second way of computing the same thing.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t crc32(const uint8_t *bytes, size_t count) {
    uint32_t crc = ~0u;
    for (size_t at = 0; at < count; at++) {
        crc ^= bytes[at];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static uint32_t adler32(const uint8_t *bytes, size_t count) {
    uint32_t low = 1, high = 0;
    for (size_t at = 0; at < count; at++) {
        low = (low + bytes[at]) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

static uint64_t fnv1a(const uint8_t *bytes, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t at = 0; at < count; at++) hash = (hash ^ bytes[at]) * 0x100000001b3u;
    return hash;
}

static uint32_t rotate(uint32_t value, int by) { return value >> by | value << (32 - by); }

// SHA-256 of at most 55 bytes: one block. The constants are the fractional parts of roots of primes.
static void sha256_short(const char *text, uint32_t digest[8]) {
    static const uint8_t primes[64] = {2,   3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,  47,  53,
                                       59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103, 107, 109, 113, 127, 131,
                                       137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223,
                                       227, 229, 233, 239, 241, 251};
    static const uint16_t more_primes[10] = {257, 263, 269, 271, 277, 281, 283, 293, 307, 311};
    uint32_t round_keys[64], schedule[64];
    for (int at = 0; at < 64; at++) {
        uint64_t prime = at < 54 ? primes[at] : more_primes[at - 54];
        // floor(cbrt(prime) * 2^32) by bisection; the cube needs 105 bits.
        uint64_t low = 0, high = 8ull << 32;
        while (high - low > 1) {
            uint64_t middle = low + (high - low) / 2;
            if ((unsigned __int128)middle * middle * middle <= (unsigned __int128)prime << 96) low = middle;
            else high = middle;
        }
        round_keys[at] = (uint32_t)low;
    }
    for (int at = 0; at < 8; at++) {
        uint64_t low = 0, high = 8ull << 32;
        while (high - low > 1) {
            uint64_t middle = low + (high - low) / 2;
            if ((unsigned __int128)middle * middle <= (unsigned __int128)primes[at] << 64) low = middle;
            else high = middle;
        }
        digest[at] = (uint32_t)low;
    }
    uint8_t block[64] = {0};
    size_t count = strlen(text);
    memcpy(block, text, count);
    block[count] = 0x80;
    block[62] = (uint8_t)(count * 8 >> 8);
    block[63] = (uint8_t)(count * 8);
    for (int at = 0; at < 16; at++) {
        const uint8_t *word = block + 4 * at;
        schedule[at] = (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
    }
    for (int at = 16; at < 64; at++) {
        uint32_t near = schedule[at - 2], far = schedule[at - 15];
        schedule[at] = schedule[at - 16] + schedule[at - 7] + (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) +
                       (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10);
    }
    uint32_t v[8];
    memcpy(v, digest, sizeof v);
    for (int at = 0; at < 64; at++) {
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]), majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t first = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice + round_keys[at] + schedule[at];
        uint32_t second = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + majority;
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += first;
        v[0] = first + second;
    }
    for (int at = 0; at < 8; at++) digest[at] += v[at];
}

static uint32_t state = 12345;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

static int ascending(const void *left, const void *right) {
    uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;
    return (l > r) - (l < r);
}

static void sort(void) {
    enum { COUNT = 20000 };
    uint32_t *values = malloc(COUNT * sizeof *values), sum = 0, mix = 0;
    for (int at = 0; at < COUNT; at++) {
        values[at] = next();
        sum += values[at];
        mix ^= values[at];
    }
    qsort(values, COUNT, sizeof *values, ascending);
    int ordered = 1;
    for (int at = 0; at < COUNT; at++) {
        if (at > 0 && values[at - 1] > values[at]) ordered = 0;
        sum -= values[at];
        mix ^= values[at];
    }
    printf("sort: %s, %s\n", ordered ? "ordered" : "wrong", sum == 0 && mix == 0 ? "the same values" : "wrong");
    free(values);
}

static void primes(void) {
    enum { BELOW = 100000 };
    static uint8_t composite[BELOW];
    int count = 0;
    for (int at = 2; at < BELOW; at++) {
        if (composite[at]) continue;
        count++;
        for (int multiple = 2 * at; multiple < BELOW; multiple += at) composite[multiple] = 1;
    }
    printf("primes below %d: %d\n", BELOW, count);
}

// Divides a sum of a geometric series two ways; exact in doubles.
static void floats(void) {
    double sum = 0, term = 1;
    for (int at = 0; at < 40; at++) {
        sum += term;
        term /= 2;
    }
    float third = 1.0f / 3.0f;
    printf("floats: %s, %.9g\n", sum == 2 - 2 * term ? "exact" : "wrong", third);
}

int main(void) {
    const char *digits = "123456789";
    printf("crc32: %08x\n", crc32((const uint8_t *)digits, 9));
    printf("adler32: %08x\n", adler32((const uint8_t *)"Wikipedia", 9));
    printf("fnv1a: %016llx\n", (unsigned long long)fnv1a((const uint8_t *)"foobar", 6));
    uint32_t digest[8];
    sha256_short("abc", digest);
    printf("sha256: ");
    for (int at = 0; at < 8; at++) printf("%08x", digest[at]);
    printf("\n");
    sort();
    primes();
    floats();
    return 0;
}
