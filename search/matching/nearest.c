/* The features of places that are nearest to those of a query, compared with their neighbours on
   the grid: mutual.py defines the result, and computes it where this file is not compiled.

   One pass makes the products of a query's feature with all features of the places, adds those of
   its neighbours from rows that are still in the cache, and keeps the greatest sums. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

enum { MAX_BITS = 112, CHUNK = 64, NEVER = INT16_MIN };

enum { QUERY_ROWS = 4, RING = 8 };

typedef void products_of(const int8_t *const query[QUERY_ROWS], const uint8_t *packed, int bits,
                         long columns, int unit, int16_t *const products[QUERY_ROWS]);

static int sum_of(const int8_t *query, int bits) {
    int sum = 0;
    for (int bit = 0; bit < bits; bit++) sum += query[bit];
    return sum;
}

/* Products of QUERY_ROWS features with features in units of 1 / unit, rounded towards 0. `packed`
   has the latter without a sign: 4 numbers of each of the columns, then the next 4. */
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) static void products_vnni(
    const int8_t *const query[QUERY_ROWS], const uint8_t *packed, int bits, long columns, int unit,
    int16_t *const products[QUERY_ROWS]) {
    const __m512i odd = _mm512_set1_epi32(unit - 1);
    const int shift = unit == 4 ? 2 : 0;
    int words[QUERY_ROWS][MAX_BITS / 4];
    __m512i zero[QUERY_ROWS];
    for (int row = 0; row < QUERY_ROWS; row++) {
        memcpy(words[row], query[row], (size_t)bits);
        zero[row] = _mm512_set1_epi32(-unit * sum_of(query[row], bits));
    }
    for (long at = 0; at < columns; at += 64) {
        __m512i sums[QUERY_ROWS][4];
        for (int row = 0; row < QUERY_ROWS; row++)
            for (int part = 0; part < 4; part++) sums[row][part] = zero[row];
        for (int four = 0; four < bits / 4; four++) {
            const uint8_t *other = packed + 4 * (four * columns + at);
            __m512i others[4];
            for (int part = 0; part < 4; part++)
                others[part] = _mm512_load_si512((const void *)(other + 64 * part));
            for (int row = 0; row < QUERY_ROWS; row++) {
                const __m512i own = _mm512_set1_epi32(words[row][four]);
                for (int part = 0; part < 4; part++)
                    sums[row][part] = _mm512_dpbusd_epi32(sums[row][part], others[part], own);
            }
        }
        for (int row = 0; row < QUERY_ROWS; row++)
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
    const int8_t *const query[QUERY_ROWS], const uint8_t *packed, int bits, long columns, int unit,
    int16_t *const products[QUERY_ROWS]) {
    const __m256i odd = _mm256_set1_epi32(unit - 1), ones = _mm256_set1_epi16(1);
    const int shift = unit == 4 ? 2 : 0;
    int words[QUERY_ROWS][MAX_BITS / 4];
    __m256i zero[QUERY_ROWS];
    for (int row = 0; row < QUERY_ROWS; row++) {
        memcpy(words[row], query[row], (size_t)bits);
        zero[row] = _mm256_set1_epi32(-unit * sum_of(query[row], bits));
    }
    for (long at = 0; at < columns; at += 16) {
        __m256i sums[QUERY_ROWS][2];
        for (int row = 0; row < QUERY_ROWS; row++)
            for (int part = 0; part < 2; part++) sums[row][part] = zero[row];
        for (int four = 0; four < bits / 4; four++) {
            const uint8_t *other = packed + 4 * (four * columns + at);
            __m256i others[2];
            for (int part = 0; part < 2; part++)
                others[part] = _mm256_load_si256((const __m256i *)(other + 32 * part));
            for (int row = 0; row < QUERY_ROWS; row++) {
                const __m256i own = _mm256_set1_epi32(words[row][four]);
                for (int part = 0; part < 2; part++) {
                    const __m256i pairs = _mm256_maddubs_epi16(others[part], own);
                    sums[row][part] =
                        _mm256_add_epi32(sums[row][part], _mm256_madd_epi16(pairs, ones));
                }
            }
        }
        for (int row = 0; row < QUERY_ROWS; row++)
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

/* The arrays have `shift` zeros before and after each row. */
CLONES static void add_three(const int16_t *restrict before, const int16_t *restrict middle,
                             const int16_t *restrict after, long columns, long shift,
                             int16_t *restrict sums) {
    for (long j = 0; j < columns; j++)
        sums[j] = (int16_t)(before[j - shift] + middle[j] + after[j + shift]);
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
        const int16_t largest = greatest(numbers + at, count - at < CHUNK ? count - at : CHUNK);
        if (largest > *most) {
            *most = largest;
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

/* For `rows` features of a query, `line` of them a row of its grid, and `count` places of `height`
   rows of `place_line` features, in the layout of `Views`: writes the nearest features and their
   similarities, (rows, count), and the largest similarity of each feature of the places. A feature
   has `bits` numbers, a multiple of 4 and at most MAX_BITS. Returns 0, or 1 without memory. */
int place_search_nearest(const int8_t *query, int bits, long rows, long line, const int8_t *places,
                         long count, long height, long place_line, int unit, int64_t *nearest,
                         int16_t *best, int16_t *most) {
    products_of *products = chosen();
    const long size = (height + 1) * place_line, used = count * size;
    const long columns = (used + 63) / 64 * 64;
    /* Each row has zeros before and after it, for neighbours beyond the first and last place. */
    const long margin = (place_line + 32) / 32 * 32, width = columns + 2 * margin;
    const long kept_rows = 2 * line + 1;
    uint8_t *packed = aligned_alloc(64, (size_t)columns * bits);
    const size_t numbers = (size_t)width * (RING + kept_rows + 1) + 2 * (size_t)columns;
    int16_t *scratch = aligned_alloc(64, (numbers * sizeof(int16_t) + 63) / 64 * 64);
    if (!packed || !scratch || !products) {
        free(packed);
        free(scratch);
        return 1;
    }
    memset(scratch, 0, numbers * sizeof(int16_t));
    int16_t *pairs = scratch + margin, *line_sums = pairs + RING * width;
    int16_t *zeros = line_sums + kept_rows * width, *sums = zeros + width - margin;
    int16_t *cap = sums + columns;
    for (long j = 0; j < columns; j++) {
        const long in_place = j % size;
        const int zero = j >= used || in_place % place_line == 0 || in_place >= height * place_line;
        cap[j] = zero ? NEVER : INT16_MAX;
    }
    pack(places, bits, used, columns, unit, packed);
    for (long j = 0; j < used; j++) most[j] = NEVER;
    /* When the products of a row are made, the row before gets the sums with its neighbours in the
       line, and the row a line of the grid before that the sums with those above and below. */
    for (long row = 0; row <= rows + line; row++) {
        if (row < rows && row % QUERY_ROWS == 0) {
            const int8_t *own[QUERY_ROWS];
            int16_t *outputs[QUERY_ROWS];
            for (long next = 0; next < QUERY_ROWS; next++) {
                own[next] = query + (row + next < rows ? row + next : rows - 1) * bits;
                outputs[next] = pairs + (row + next) % RING * width;
            }
            products(own, packed, bits, columns, unit, outputs);
        }
        const long middle = row - 1;
        if (middle >= 0 && middle < rows)
            add_three(middle ? pairs + (middle - 1) % RING * width : zeros,
                      pairs + middle % RING * width,
                      middle + 1 < rows ? pairs + (middle + 1) % RING * width : zeros, columns, 1,
                      line_sums + middle % kept_rows * width);
        const long complete = middle - line;
        if (complete < 0) continue;
        int16_t *similarity = best + complete * count;
        int64_t *feature = nearest + complete * count;
        if (complete % line == 0) {
            for (long place = 0; place < count; place++)
                similarity[place] = NEVER, feature[place] = 0;
            continue;
        }
        const long above = complete - line, below = complete + line;
        add_three(above >= 0 ? line_sums + above % kept_rows * width : zeros,
                  line_sums + complete % kept_rows * width,
                  below < rows ? line_sums + below % kept_rows * width : zeros, columns,
                  place_line, sums);
        keep_greatest(sums, cap, used, most);
        for (long place = 0; place < count; place++)
            feature[place] =
                first_greatest(sums + place * size, height * place_line, similarity + place);
    }
    free(packed);
    free(scratch);
    return 0;
}

#else
int place_search_can_match(void) { return 0; }
int place_search_nearest(const int8_t *query, int bits, long rows, long line, const int8_t *places,
                         long count, long height, long place_line, int unit, int64_t *nearest,
                         int16_t *best, int16_t *most) {
    (void)query, (void)bits, (void)rows, (void)line, (void)places, (void)count, (void)height;
    (void)place_line, (void)unit, (void)nearest, (void)best, (void)most;
    return 1;
}
#endif
