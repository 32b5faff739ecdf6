// 128-bit vector kernels, each compared with the same computation one lane at a time.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasm_simd128.h>

enum { COUNT = 1024 };

static int16_t left[COUNT], right[COUNT];
static uint8_t pixels[COUNT], other_pixels[COUNT], blended[COUNT];
static float points[COUNT];

// Keeps the plain loops plain.
#define PLAIN _Pragma("clang loop vectorize(disable) unroll(disable)")

static int32_t dot(void) {
    v128_t sum = wasm_i32x4_const(0, 0, 0, 0);
    for (int at = 0; at < COUNT; at += 8) {
        sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_load(left + at), wasm_v128_load(right + at)));
    }
    return wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) + wasm_i32x4_extract_lane(sum, 2) +
           wasm_i32x4_extract_lane(sum, 3);
}

static int32_t plain_dot(void) {
    int32_t sum = 0;
    PLAIN for (int at = 0; at < COUNT; at++) sum += left[at] * right[at];
    return sum;
}

static void blend(void) {
    for (int at = 0; at < COUNT; at += 16) {
        v128_t mean = wasm_u8x16_avgr(wasm_v128_load(pixels + at), wasm_v128_load(other_pixels + at));
        v128_t bright = wasm_u8x16_gt(mean, wasm_u8x16_splat(200));
        wasm_v128_store(blended + at, wasm_v128_bitselect(wasm_u8x16_splat(255), mean, bright));
    }
}

static uint8_t plain_blend(int at) {
    int mean = (pixels[at] + other_pixels[at] + 1) / 2;
    return mean > 200 ? 255 : (uint8_t)mean;
}

static float largest(void) {
    v128_t most = wasm_v128_load(points);
    for (int at = 4; at < COUNT; at += 4) most = wasm_f32x4_pmax(most, wasm_v128_load(points + at));
    float lanes[4], result;
    wasm_v128_store(lanes, most);
    result = lanes[0];
    for (int at = 1; at < 4; at++) result = lanes[at] > result ? lanes[at] : result;
    return result;
}

static void reverse(const char *text, char *out) {
    v128_t bytes = wasm_v128_load(text);
    bytes = wasm_i8x16_shuffle(bytes, bytes, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    wasm_v128_store(out, bytes);
}

int main(void) {
    uint32_t state = 1;
    for (int at = 0; at < COUNT; at++) {
        state = state * 1664525u + 1013904223u;
        left[at] = (int16_t)(state >> 16) / 64;
        right[at] = (int16_t)state / 64;
        pixels[at] = (uint8_t)(state >> 8);
        other_pixels[at] = (uint8_t)(state >> 20);
        points[at] = (float)(int16_t)(state >> 12) / 16;
    }
    int32_t products = dot();
    printf("dot: %d, %s\n", products, products == plain_dot() ? "as one by one" : "wrong");
    blend();
    int same = 1;
    for (int at = 0; at < COUNT; at++) same &= blended[at] == plain_blend(at);
    printf("blend: %s\n", same ? "as one by one" : "wrong");
    float most = points[0];
    PLAIN for (int at = 1; at < COUNT; at++) most = points[at] > most ? points[at] : most;
    printf("largest: %.4f, %s\n", (double)most, largest() == most ? "as one by one" : "wrong");
    char reversed[17] = {0};
    reverse("0123456789abcdef", reversed);
    printf("reverse: %s\n", reversed);
    return 0;
}
