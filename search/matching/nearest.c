/* Which features of places are nearest to those of a query, judged with their neighbours on the
   grid: mutual.py says what is computed, and computes the same where this is not compiled.

   One pass makes the products of a query's feature with all of the places', sums them with those
   of its neighbours from rows that are still in the cache, and keeps the greatest. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

enum { MOST_BITS = 112, CHUNK = 64, NEVER = INT16_MIN };

enum { TOGETHER = 4, RING = 8 };

typedef void products_of(const int8_t *const query[TOGETHER], const uint8_t *packed, int bits,
                         long columns, int unit, int16_t *const products[TOGETHER]);

static int sum_of(const int8_t *query, int bits) {
    int sum = 0;
    for (int bit = 0; bit < bits; bit++) sum += query[bit];
    return sum;
}

/* Products of four features with features in units of 1 / unit, which lie in `packed` without a
   sign: 4 numbers of each of the columns, then the next 4. They are rounded towards 0. */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) static void products_vnni(
    const int8_t *const query[TOGETHER], const uint8_t *packed, int bits, long columns, int unit,
    int16_t *const products[TOGETHER]) {
    const __m512i odd = _mm512_set1_epi32(unit - 1);
    const int shift = unit == 4 ? 2 : 0;
    int words[TOGETHER][MOST_BITS / 4];
    __m512i zero[TOGETHER];
    for (int row = 0; row < TOGETHER; row++) {
        memcpy(words[row], query[row], (size_t)bits);
        zero[row] = _mm512_set1_epi32(-unit * sum_of(query[row], bits));
    }
    for (long at = 0; at < columns; at += 64) {
        __m512i sums[TOGETHER][4];
        for (int row = 0; row < TOGETHER; row++)
            for (int part = 0; part < 4; part++) sums[row][part] = zero[row];
        for (int four = 0; four < bits / 4; four++) {
            const uint8_t *other = packed + 4 * (four * columns + at);
            __m512i theirs[4];
            for (int part = 0; part < 4; part++)
                theirs[part] = _mm512_load_si512((const void *)(other + 64 * part));
            for (int row = 0; row < TOGETHER; row++) {
                const __m512i own = _mm512_set1_epi32(words[row][four]);
                for (int part = 0; part < 4; part++)
                    sums[row][part] = _mm512_dpbusd_epi32(sums[row][part], theirs[part], own);
            }
        }
        for (int row = 0; row < TOGETHER; row++)
            for (int part = 0; part < 4; part++) {
                __m512i product = sums[row][part];
                product = _mm512_add_epi32(
                    product, _mm512_and_si512(_mm512_srai_epi32(product, 31), odd));
                product = _mm512_sra_epi32(product, _mm_cvtsi32_si128(shift));
                _mm256_store_si256((__m256i *)(products[row] + at + 16 * part),
                                   _mm512_cvtepi32_epi16(product));
            }
    }
}

__attribute__((target("avx2"))) static void products_avx2(
    const int8_t *const query[TOGETHER], const uint8_t *packed, int bits, long columns, int unit,
    int16_t *const products[TOGETHER]) {
    const __m256i odd = _mm256_set1_epi32(unit - 1), ones = _mm256_set1_epi16(1);
    const int shift = unit == 4 ? 2 : 0;
    int words[TOGETHER][MOST_BITS / 4];
    __m256i zero[TOGETHER];
    for (int row = 0; row < TOGETHER; row++) {
        memcpy(words[row], query[row], (size_t)bits);
        zero[row] = _mm256_set1_epi32(-unit * sum_of(query[row], bits));
    }
    for (long at = 0; at < columns; at += 16) {
        __m256i sums[TOGETHER][2];
        for (int row = 0; row < TOGETHER; row++)
            for (int part = 0; part < 2; part++) sums[row][part] = zero[row];
        for (int four = 0; four < bits / 4; four++) {
            const uint8_t *other = packed + 4 * (four * columns + at);
            __m256i theirs[2];
            for (int part = 0; part < 2; part++)
                theirs[part] = _mm256_load_si256((const __m256i *)(other + 32 * part));
            for (int row = 0; row < TOGETHER; row++) {
                const __m256i own = _mm256_set1_epi32(words[row][four]);
                for (int part = 0; part < 2; part++) {
                    const __m256i pairs = _mm256_maddubs_epi16(theirs[part], own);
                    sums[row][part] =
                        _mm256_add_epi32(sums[row][part], _mm256_madd_epi16(pairs, ones));
                }
            }
        }
        for (int row = 0; row < TOGETHER; row++)
            for (int part = 0; part < 2; part++) {
                __m256i product = sums[row][part];
                product = _mm256_add_epi32(
                    product, _mm256_and_si256(_mm256_srai_epi32(product, 31), odd));
                product = _mm256_sra_epi32(product, _mm_cvtsi32_si128(shift));
                const __m128i both = _mm_packs_epi32(_mm256_castsi256_si128(product),
                                                     _mm256_extracti128_si256(product, 1));
                _mm_store_si128((__m128i *)(products[row] + at + 8 * part), both);
            }
    }
}

static void pack(const int8_t *places, int bits, long used, long columns, int unit,
                 uint8_t *packed) {
    memset(packed, unit, (size_t)columns * bits);
    for (long column = 0; column < used; column++)
        for (int four = 0; four < bits / 4; four++)
            for (int bit = 0; bit < 4; bit++)
                packed[4 * (four * columns + column) + bit] =
                    (uint8_t)(places[column * bits + 4 * four + bit] + unit);
}

#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

/* Zeros lie `shift` numbers before and after each row. */
CLONES static void add_three(const int16_t *restrict before, const int16_t *restrict here,
                             const int16_t *restrict after, long columns, long shift,
                             int16_t *restrict sums) {
    for (long j = 0; j < columns; j++)
        sums[j] = (int16_t)(before[j - shift] + here[j] + after[j + shift]);
}

CLONES static void keep_greatest(int16_t *restrict sums, const int16_t *restrict cap, long columns,
                                 int16_t *restrict most) {
    for (long j = 0; j < columns; j++) {
        const int16_t sum = sums[j] < cap[j] ? sums[j] : cap[j];
        sums[j] = sum;
        most[j] = most[j] > sum ? most[j] : sum;
    }
}

CLONES static int16_t greatest(const int16_t *numbers, long count) {
    int16_t most = NEVER;
    for (long j = 0; j < count; j++) most = numbers[j] > most ? numbers[j] : most;
    return most;
}

static long first_greatest(const int16_t *numbers, long count, int16_t *most) {
    long chunk = 0;
    *most = NEVER;
    for (long at = 0; at < count; at += CHUNK) {
        const int16_t here = greatest(numbers + at, count - at < CHUNK ? count - at : CHUNK);
        if (here > *most) {
            *most = here;
            chunk = at;
        }
    }
    while (chunk < count && numbers[chunk] != *most) chunk++;
    return chunk < count ? chunk : 0;
}

static products_of *chosen(void) {
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return products_vnni;
    return __builtin_cpu_supports("avx2") ? products_avx2 : 0;
}

int place_search_can_match(void) { return chosen() != 0; }

/* For `rows` features of a query, `line` a row of its grid, and `count` places of `height` rows of
   `line_there` features, laid out as `Views` says: the nearest and how near it is, (rows, count),
   and how near each of the places' features comes to any. Each has `bits` numbers, a multiple of 4
   and at most MOST_BITS. Returns 0, or 1 without memory. */
int place_search_nearest(const int8_t *query, int bits, long rows, long line, const int8_t *places,
                         long count, long height, long line_there, int unit, int64_t *nearest,
                         int16_t *best, int16_t *most) {
    products_of *products = chosen();
    const long size = (height + 1) * line_there, used = count * size;
    const long columns = (used + 63) / 64 * 64;
    /* Zeros stand before and after each row, for neighbours beyond the first and last place. */
    const long margin = (line_there + 32) / 32 * 32, width = columns + 2 * margin;
    const long kept = 2 * line + 1;
    uint8_t *packed = aligned_alloc(64, (size_t)columns * bits);
    const size_t numbers = (size_t)width * (RING + kept + 1) + 2 * (size_t)columns;
    int16_t *scratch = aligned_alloc(64, (numbers * sizeof(int16_t) + 63) / 64 * 64);
    if (!packed || !scratch || !products) {
        free(packed);
        free(scratch);
        return 1;
    }
    memset(scratch, 0, numbers * sizeof(int16_t));
    int16_t *pairs = scratch + margin, *beside = pairs + RING * width;
    int16_t *nothing = beside + kept * width, *sums = nothing + width - margin;
    int16_t *cap = sums + columns;
    for (long j = 0; j < columns; j++) {
        const long in_place = j % size;
        const int zero = j >= used || in_place % line_there == 0 || in_place >= height * line_there;
        cap[j] = zero ? NEVER : INT16_MAX;
    }
    pack(places, bits, used, columns, unit, packed);
    for (long j = 0; j < used; j++) most[j] = NEVER;
    /* While products are made for one row, neighbours beside it are added to the one before, and
       those above and below it to the one a row of the grid further up. */
    for (long row = 0; row <= rows + line; row++) {
        if (row < rows && row % TOGETHER == 0) {
            const int8_t *own[TOGETHER];
            int16_t *made[TOGETHER];
            for (long next = 0; next < TOGETHER; next++) {
                own[next] = query + (row + next < rows ? row + next : rows - 1) * bits;
                made[next] = pairs + (row + next) % RING * width;
            }
            products(own, packed, bits, columns, unit, made);
        }
        const long middle = row - 1;
        if (middle >= 0 && middle < rows)
            add_three(middle ? pairs + (middle - 1) % RING * width : nothing,
                      pairs + middle % RING * width,
                      middle + 1 < rows ? pairs + (middle + 1) % RING * width : nothing, columns, 1,
                      beside + middle % kept * width);
        const long done = middle - line;
        if (done < 0) continue;
        int16_t *near = best + done * count;
        int64_t *where = nearest + done * count;
        if (done % line == 0) {
            for (long place = 0; place < count; place++) near[place] = NEVER, where[place] = 0;
            continue;
        }
        add_three(done >= line ? beside + (done - line) % kept * width : nothing,
                  beside + done % kept * width,
                  done + line < rows ? beside + (done + line) % kept * width : nothing, columns,
                  line_there, sums);
        keep_greatest(sums, cap, used, most);
        for (long place = 0; place < count; place++)
            where[place] = first_greatest(sums + place * size, height * line_there, near + place);
    }
    free(packed);
    free(scratch);
    return 0;
}

#else
int place_search_can_match(void) { return 0; }
int place_search_nearest(const int8_t *query, int bits, long rows, long line, const int8_t *places,
                         long count, long height, long line_there, int unit, int64_t *nearest,
                         int16_t *best, int16_t *most) {
    (void)query, (void)bits, (void)rows, (void)line, (void)places, (void)count, (void)height, (void)line_there;
    (void)unit, (void)nearest, (void)best, (void)most;
    return 1;
}
#endif
