/* SPDX-License-Identifier: MIT */
/*
 * A map's file -> struct pb_map. All errors are collected; a map with one is not loaded at all.
 */
#include "map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 64, ROWS_MAX = 8192, BLOCK_WORDS_MAX = 120, BLOCK_BITS_MAX = 2000 };

static const char *const scope_names[] = {"pack", "bank", "battery", "gateway", NULL};
static const char *const stale_names[] = {"exception", "not-available", "last", "silence", NULL};
static const char *const order_names[] = {"high-first", "low-first", NULL};
static const char *const reply_names[] = {"modbus", "word-count", NULL};
static const char *const option_names[] = {"high-first", "low-first", "other-sign", "na",
					   "exception",	 "blanks",    "coarse",	    NULL};

struct head {
	char map[64], title[128];
	int32_t version;
	int scope, order, stale, reply;
	bool unaligned;
	const struct pb_yaml *description, *options, *blocks;
};

#define HEAD(member) offsetof(struct head, member), sizeof(((struct head *)0)->member)

/* clang-format off */
static const struct pb_yaml_row head_rows[] = {
	{"map", PB_YAML_TEXT, HEAD(map), .required = true, .doc = "the map's name, as the file's"},
	{"version", PB_YAML_INT, HEAD(version), .required = true, .min = 1, .max = 65534,
	 .doc = "a number that grows when an address changes its meaning"},
	{"title", PB_YAML_TEXT, HEAD(title), .required = true, .doc = "one line"},
	{"description", PB_YAML_NODE, HEAD(description), .doc = "what a reader must know"},
	{"scope", PB_YAML_ENUM, HEAD(scope), .required = true, .words = scope_names,
	 .doc = "what it shows: pack, bank, battery (either of them) or gateway"},
	{"word_order", PB_YAML_ENUM, HEAD(order), .words = order_names, .preset = "high-first",
	 .doc = "of 32-bit values"},
	{"stale", PB_YAML_ENUM, HEAD(stale), .words = stale_names, .preset = "exception",
	 .doc = "what old data looks like"},
	{"reply_format", PB_YAML_ENUM, HEAD(reply), .words = reply_names, .preset = "modbus",
	 .doc = "of replies to reads: word-count has the registers in two bytes, not the bytes in one"},
	{"options", PB_YAML_NODE, HEAD(options),
	 .doc = "[other-sign]: the map can be had with the other sign of currents and powers"},
	{"unaligned", PB_YAML_BOOL, HEAD(unaligned), .preset = "false",
	 .doc = "32-bit values may stand on odd addresses"},
	{"blocks", PB_YAML_NODE, HEAD(blocks), .required = true, .doc = "the blocks of addresses"},
	{0},
};

struct block_head {
	char name[64];
	int32_t addr, count;
	bool always;
	const struct pb_yaml *description, *tables, *rows;
};

#define BLOCK(member) offsetof(struct block_head, member), sizeof(((struct block_head *)0)->member)

static const struct pb_yaml_row block_rows[] = {
	{"name", PB_YAML_TEXT, BLOCK(name), .required = true, .doc = "name, unique in the map"},
	{"description", PB_YAML_NODE, BLOCK(description), .doc = "what a reader must know"},
	{"tables", PB_YAML_NODE, BLOCK(tables), .required = true,
	 .doc = "[input, holding] or [discrete, coil], or one of a pair"},
	{"addr", PB_YAML_INT, BLOCK(addr), .required = true, .min = 0, .max = 65535,
	 .doc = "wire address of the first register or bit"},
	{"count", PB_YAML_INT, BLOCK(count), .required = true, .min = 1, .max = BLOCK_BITS_MAX,
	 .doc = "its registers or bits"},
	{"always", PB_YAML_BOOL, BLOCK(always), .preset = "false",
	 .doc = "shown however old the reading is"},
	{"rows", PB_YAML_NODE, BLOCK(rows), .required = true, .doc = "what stands where"},
	{0},
};
/* clang-format on */

/* ---- memory ---- */

void *map_alloc(struct pb_map *map, size_t size)
{
	void **longer = realloc(map->kept, (map->kept_count + 1) * sizeof(*longer));

	if (!longer)
		abort(); /* maps are loaded at the start only; without memory there is no start */
	map->kept = longer;
	longer[map->kept_count] = calloc(1, size);
	if (!longer[map->kept_count])
		abort();
	return longer[map->kept_count++];
}

const char *map_text(struct pb_map *map, const char *text)
{
	char *copy;

	if (!text || !*text)
		return "";
	copy = map_alloc(map, strlen(text) + 1);
	strcpy(copy, text);
	return copy;
}

const char *map_words(struct pb_map *map, const char *text)
{
	char *copy;

	if (!text || !*text)
		return "";
	copy = map_alloc(map, strlen(text) + 1);
	pb_text_clean(copy, strlen(text) + 1, text, strlen(text));
	for (size_t len = strlen(copy); len > 0 && copy[len - 1] == ' '; len--)
		copy[len - 1] = '\0';
	return copy;
}

const char *map_node_text(struct compiler *c, const struct pb_yaml *node)
{
	if (!node)
		return "";
	if (node->type != PB_YAML_SCALAR) {
		pb_yaml_error(c->report, node, "%s, expected a text", node->key);
		return "";
	}
	return map_words(c->map, node->text);
}

struct row *map_add_row(struct pb_map *map, const struct row *row)
{
	if (map->row_count == map->row_room) {
		size_t room = map->row_room ? 2 * map->row_room : 64;
		struct row *longer = realloc(map->rows, room * sizeof(*longer));

		if (!longer)
			return NULL;
		map->rows = longer;
		map->row_room = room;
	}
	map->rows[map->row_count] = *row;
	return &map->rows[map->row_count++];
}

struct pb_map *pb_map_free(struct pb_map *map)
{
	if (!map)
		return NULL;
	for (size_t i = 0; i < map->kept_count; i++)
		free(map->kept[i]);
	free(map->kept);
	free(map->rows);
	free(map->blocks);
	pb_map_free(map->wide);
	free(map);
	return NULL;
}

/* ---- blocks ---- */

static uint8_t table_of(const char *name)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(pb_tables); i++)
		if (name && strcmp(pb_tables[i].name, name) == 0)
			return pb_tables[i].table;
	return 0;
}

static uint8_t read_tables(struct compiler *c, const struct pb_yaml *node)
{
	const uint8_t registers = PB_TABLE_INPUT | PB_TABLE_HOLDING;
	uint8_t tables = 0;

	for (const struct pb_yaml *item = node->child; item; item = item->next) {
		uint8_t table = table_of(item->text);

		if (!table) {
			pb_yaml_error(c->report, item,
				      "table '%s', expected input, holding, discrete or coil",
				      item->text ? item->text : "");
			return 0;
		}
		tables |= table;
	}
	if (tables == 0 || ((tables & registers) && (tables & ~registers))) {
		pb_yaml_error(
			c->report, node,
			"tables, expected [input, holding], [discrete, coil] or one of a pair");
		return 0;
	}
	return tables;
}

static void check_block(struct compiler *c, const struct block *block, const struct block *others,
			size_t count)
{
	uint32_t max = table_is_bits(block->tables) ? BLOCK_BITS_MAX : BLOCK_WORDS_MAX;

	if (block->count > max)
		pb_yaml_error(c->report, pb_yaml_at(block->node, "count"),
			      "%u, expected at most %u, so that one request reads the block",
			      block->count, max);
	if (block->addr + block->count > 65536)
		pb_yaml_error(c->report, pb_yaml_at(block->node, "count"),
			      "the block ends at %u, expected at most 65535",
			      block->addr + block->count - 1);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(others[i].name, block->name) == 0)
			pb_yaml_error(c->report, pb_yaml_at(block->node, "name"),
				      "block '%s' appears twice, expected another name",
				      block->name);
		if ((others[i].tables & block->tables) &&
		    others[i].addr < block->addr + block->count &&
		    block->addr < others[i].addr + others[i].count)
			pb_yaml_error(c->report, pb_yaml_at(block->node, "addr"),
				      "addresses %u to %u overlap block '%s' (%u to %u)",
				      block->addr, block->addr + block->count - 1, others[i].name,
				      others[i].addr, others[i].addr + others[i].count - 1);
	}
}

static int by_addr(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	/* of two at one address, the one further down in the file is in the wrong */
	return x->node->line < y->node->line ? -1 : x->node->line > y->node->line;
}

static void report_hole(struct compiler *c, const struct block *block, uint32_t from, uint32_t to)
{
	pb_yaml_error(c->report, block->node,
		      "block '%s': nothing at %u to %u, expected rows without holes "
		      "(type: reserved fills one)",
		      block->name, from, to);
}

/* Rows must fill their block, each address once. Only for blocks whose rows are without errors. */
static void check_cover(struct compiler *c, const struct block *block)
{
	const struct row *rows = c->map->rows + block->row;
	uint32_t next = block->addr, end = block->addr + block->count;

	for (size_t i = 0; i < block->row_count; i++) {
		if (rows[i].addr > next)
			report_hole(c, block, next, rows[i].addr - 1U);
		if (rows[i].addr < next)
			pb_yaml_error(
				c->report, rows[i].node,
				"address %u is taken by another row of block '%s', expected a "
				"free one",
				rows[i].addr, block->name);
		if (rows[i].addr + rows[i].words > next)
			next = rows[i].addr + rows[i].words;
	}
	if (next < end)
		report_hole(c, block, next, end - 1);
}

static int read_rows(struct compiler *c, struct block *block, const struct pb_yaml *rows)
{
	size_t before = c->report->count;

	block->row = c->map->row_count;
	if (rows->type != PB_YAML_SEQUENCE) {
		pb_yaml_error(c->report, rows, "rows, expected a list");
		return 0;
	}
	for (const struct pb_yaml *item = rows->child; item; item = item->next) {
		int r = compile_row(c, block, item);

		if (r < 0)
			return r;
		if (c->map->row_count > ROWS_MAX) {
			pb_yaml_error(c->report, item, "more than %d values, expected fewer",
				      ROWS_MAX);
			return 0;
		}
	}
	block->row_count = c->map->row_count - block->row;
	if (block->row_count)
		qsort(c->map->rows + block->row, block->row_count, sizeof(*c->map->rows), by_addr);
	if (c->report->count == before)
		check_cover(c, block);
	return 0;
}

static int compile_read_block(struct compiler *c, const struct pb_yaml *node)
{
	struct pb_map *map = c->map;
	struct block *block = &map->blocks[map->block_count];
	struct block_head head = {0};

	if (pb_yaml_fill(node, block_rows, &head, c->report) < 0)
		return 0;
	*block = (struct block){
		.name = map_words(map, head.name),
		.description = map_node_text(c, head.description),
		.tables = read_tables(c, head.tables),
		.addr = (uint16_t)head.addr,
		.count = (uint32_t)head.count,
		.always = head.always,
		.node = node,
	};
	if (!block->tables)
		return 0;
	check_block(c, block, map->blocks, map->block_count);
	map->block_count++;
	return read_rows(c, block, head.rows);
}

/* Registers before bits, then by address. */
static int by_table(const void *a, const void *b)
{
	const struct block *x = a, *y = b;
	int bits = table_is_bits(x->tables) - table_is_bits(y->tables);

	return bits ? bits : x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int read_blocks(struct compiler *c, const struct pb_yaml *node)
{
	size_t count = node->type == PB_YAML_SEQUENCE ? pb_yaml_count(node) : 0;
	int r = 0;

	if (count < 1 || count > BLOCKS_MAX) {
		pb_yaml_error(c->report, node, "blocks, expected a list of 1 to %d", BLOCKS_MAX);
		return 0;
	}
	c->map->blocks = calloc(count, sizeof(*c->map->blocks));
	if (!c->map->blocks)
		return -ENOMEM;
	for (const struct pb_yaml *item = node->child; item && r == 0; item = item->next)
		r = compile_read_block(c, item);
	qsort(c->map->blocks, c->map->block_count, sizeof(*c->map->blocks), by_table);
	return r;
}

/* ---- the whole ---- */

/* Whether the map itself says that it can be had with this option. */
static bool offers(const struct head *head, const char *option)
{
	const struct pb_yaml *item = head->options ? head->options->child : NULL;

	for (; item; item = item->next)
		if (item->type == PB_YAML_SCALAR && strcmp(item->text, option) == 0)
			return true;
	return false;
}

static void compile_check_options(struct compiler *c, const struct head *head)
{
	if (head->options && (head->options->type != PB_YAML_SEQUENCE ||
			      pb_yaml_count(head->options) != 1 || !offers(head, "other-sign")))
		pb_yaml_error(c->report, head->options, "options, expected [other-sign]");
}

/* Silence is for protocols that know nothing else. */
static int take_stale(struct compiler *c, const char *option)
{
	bool na = strcmp(option, "na") == 0;

	if ((!na && strcmp(option, "exception") != 0) || (na && c->stale == PB_STALE_SILENCE))
		return -EINVAL;
	c->map->stale = na ? PB_STALE_NOT_AVAILABLE : PB_STALE_EXCEPTION;
	return 0;
}

static void refuse_option(struct compiler *c, const struct head *head, const char *option)
{
	const char *near = pb_nearest(option, option_names);

	if (near && strcmp(near, option) == 0)
		near = NULL;
	pb_report_add(c->report, c->file, 0, 0,
		      "map '%s' has no option '%s', expected high-first, low-first, %s%sexception "
		      "or blanks%s%s",
		      head->map, option, offers(head, "other-sign") ? "other-sign, " : "",
		      c->stale == PB_STALE_SILENCE ? "" : "na, ", near ? "; perhaps " : "",
		      near ? near : "");
}

static void take_option(struct compiler *c, const struct head *head, const char *option)
{
	if (strcmp(option, "low-first") == 0 || strcmp(option, "high-first") == 0)
		c->map->low_word_first = option[0] == 'l';
	else if (strcmp(option, "other-sign") == 0 && offers(head, option))
		c->map->other_sign = true;
	else if (strcmp(option, "blanks") == 0)
		c->map->blanks = true;
	else if (strcmp(option, "coarse") == 0)
		c->map->coarse = true;
	else if (take_stale(c, option) < 0)
		refuse_option(c, head, option);
}

/* Options that contradict each other would leave to chance which of them counts. */
static void check_pair(struct compiler *c, const char *one, const char *other, unsigned int seen)
{
	if (seen == 3)
		pb_report_add(c->report, c->file, 0, 0, "options '%s': %s and %s, expected one",
			      c->options, one, other);
}

/* "low-first+other-sign" */
static void take_options(struct compiler *c, const struct head *head)
{
	char text[64], *save = NULL;
	unsigned int order = 0, stale = 0;

	snprintf(text, sizeof(text), "%s", c->options);
	for (char *word = strtok_r(text, "+", &save); word; word = strtok_r(NULL, "+", &save)) {
		take_option(c, head, word);
		order |= strcmp(word, "low-first") == 0	   ? 1U
			 : strcmp(word, "high-first") == 0 ? 2U
							   : 0;
		stale |= strcmp(word, "na") == 0 ? 1U : strcmp(word, "exception") == 0 ? 2U : 0;
	}
	check_pair(c, "low-first", "high-first", order);
	check_pair(c, "na", "exception", stale);
}

static int read_map(struct compiler *c, const struct pb_yaml *root)
{
	struct pb_map *map = c->map;
	struct head head = {0};
	size_t len;

	pb_yaml_fill(root, head_rows, &head, c->report);
	pb_text_clean(map->name, sizeof(map->name), head.map, strlen(head.map));
	pb_text_clean(map->title, sizeof(map->title), head.title, strlen(head.title));
	map->version = head.version;
	map->scope = (enum pb_scope)head.scope;
	map->stale = c->stale = (enum pb_map_stale)head.stale;
	map->mute = c->stale == PB_STALE_SILENCE;
	map->turnable = offers(&head, "other-sign");
	map->low_word_first = head.order == 1;
	map->word_count = head.reply == 1;
	map->unaligned = head.unaligned;
	map->description = map_node_text(c, head.description);
	compile_check_options(c, &head);
	take_options(c, &head);
	len = strlen(map->name);
	if (*c->options && len + strlen(c->options) + 1 < sizeof(map->name))
		sprintf(map->name + len, "+%s", c->options);
	return head.blocks ? read_blocks(c, head.blocks) : 0;
}

static int compile(struct pb_map **ret, const struct pb_yaml *root, const char *file_name,
		   const char *options, struct pb_report *report);

/* The same map for batteries that its finer scales can't show. */
static int compile_wide(struct pb_map *map, const struct compiler *c, const struct pb_yaml *root,
			const char *file_name)
{
	char options[64];

	if (!c->has_coarse || map->coarse)
		return 0;
	snprintf(options, sizeof(options), "%.48s%scoarse", c->options, *c->options ? "+" : "");
	return compile(&map->wide, root, file_name, options, c->report);
}

/* @file_name: what the map must be called; NULL: anything. */
static int compile(struct pb_map **ret, const struct pb_yaml *root, const char *file_name,
		   const char *options, struct pb_report *report)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = calloc(1, sizeof(*map));
	struct compiler compiler = {
		.map = map, .report = report, .options = options, .file = root->file};
	size_t before = report->count;
	int r;

	if (!map)
		return -ENOMEM;
	r = read_map(&compiler, root);
	if (r < 0)
		return r;
	if (file_name && *map->name &&
	    (strncmp(map->name, file_name, strlen(file_name)) != 0 ||
	     strcspn(map->name, "+") != strlen(file_name)))
		pb_yaml_error(report, pb_yaml_at(root, "map"),
			      "map '%s', expected '%s' as the file's name says", map->name,
			      file_name);
	if (report->count > before)
		return -EINVAL;
	if (map->coarse && !compiler.has_coarse) {
		pb_report_add(report, root->file, 0, 0,
			      "map '%s' has no option 'coarse': no row of it has another scale",
			      map->name);
		return -EINVAL;
	}
	r = compile_wide(map, &compiler, root, file_name);
	if (r < 0)
		return r;
	*ret = map;
	map = NULL;
	return 0;
}

int pb_map_parse(struct pb_map **ret, const char *file, const char *text, size_t len,
		 struct pb_report *report)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	int r = pb_yaml_parse(&root, file, text, len, report);

	return r < 0 ? r : compile(ret, root, NULL, "", report);
}

int pb_map_load(struct pb_map **ret, const char *path, struct pb_report *report)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	const char *end = strstr(path, ".yaml+"), *slash;
	size_t len = end ? (size_t)(end - path) + strlen(".yaml") : strlen(path);
	char *file = strndup(path, len), name[64];
	int r = file ? pb_yaml_load(&root, file, report) : -ENOMEM;

	if (r == 0) {
		slash = strrchr(file, '/');
		snprintf(name, sizeof(name), "%s", slash ? slash + 1 : file);
		name[strcspn(name, ".")] = '\0';
		r = compile(ret, root, name, end ? path + len + 1 : "", report);
	}
	free(file);
	return r;
}
