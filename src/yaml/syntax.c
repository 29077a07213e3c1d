/* SPDX-License-Identifier: MIT */
/*
 * libyaml stops at the first syntax error and reports it in terms of its grammar. The rules here
 * check that line and the line above it for common mistakes: tabs, wrong indentation, open quotes,
 * a missing blank. The first rule that matches gives the message.
 */
#include "syntax.h"

#include <string.h>

/* One line of the file; @at counts from 0, as libyaml does. */
struct line {
	const char *text;
	size_t len, at;
	size_t indent; /* bytes of blanks and tabs in front */
};

struct said {
	size_t line, col; /* from 0 */
	char what[240];
};

static void syntax_say(struct said *said, size_t line, size_t col, const char *what)
{
	said->line = line;
	said->col = col;
	snprintf(said->what, sizeof(said->what), "%s", what);
}

/* ---- lines ---- */

static bool is_utf8_tail(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* Bytes to characters, as libyaml's columns are. */
static size_t column(const struct line *line, size_t bytes)
{
	size_t count = 0;

	for (size_t i = 0; i < bytes && i < line->len; i++)
		count += !is_utf8_tail(line->text[i]);
	return count;
}

static size_t bytes_to(const struct line *line, size_t col)
{
	size_t i = 0;

	while (i < line->len && (col > 0 || is_utf8_tail(line->text[i])))
		col -= !is_utf8_tail(line->text[i++]);
	return i;
}

static void syntax_measure(const struct syntax *s, const char *from, size_t at, struct line *ret)
{
	const char *end = s->text + s->len, *stop = memchr(from, '\n', (size_t)(end - from));

	*ret = (struct line){from, (size_t)((stop ? stop : end) - from), at, 0};
	while (ret->len > 0 && ret->text[ret->len - 1] == '\r')
		ret->len--;
	while (ret->indent < ret->len && strchr(" \t", ret->text[ret->indent]))
		ret->indent++;
}

/* The line that is @count lines behind @from. @return NULL: there is none */
static const char *skip_lines(const struct syntax *s, const char *from, size_t count)
{
	for (; from && count > 0; count--) {
		from = memchr(from, '\n', (size_t)(s->text + s->len - from));
		from = from ? from + 1 : NULL;
	}
	return from;
}

/* @return false: there is no such line */
static bool find_line(const struct syntax *s, size_t at, struct line *ret)
{
	const char *from = skip_lines(s, s->text, at);

	if (from)
		syntax_measure(s, from, at, ret);
	return from;
}

static bool is_empty(const struct line *line)
{
	return line->indent == line->len || line->text[line->indent] == '#';
}

/* The line above that says something; comments don't. */
static bool line_above(const struct syntax *s, const struct line *line, struct line *ret)
{
	struct line at = *line;

	while (at.at > 0 && at.text > s->text) { /* a lone CR is a line for libyaml only */
		const char *from = at.text - 1;	 /* the end of the line above */

		while (from > s->text && from[-1] != '\n')
			from--;
		syntax_measure(s, from, at.at - 1, &at);
		if (is_empty(&at))
			continue;
		*ret = at;
		return true;
	}
	return false;
}

static bool syntax_begins(const struct line *line, size_t at, const char *with)
{
	size_t len = strlen(with);

	return at + len <= line->len && memcmp(line->text + at, with, len) == 0;
}

static bool is_item(const struct line *line)
{
	return syntax_begins(line, line->indent, "- ");
}

/* Where the first word stands, behind the '-' of a list. */
static size_t content(const struct line *line)
{
	size_t at = line->indent;

	while (syntax_begins(line, at, "- "))
		for (at++; at < line->len && line->text[at] == ' ';)
			at++;
	return at;
}

static size_t word_end(const struct line *line, size_t at)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	while (at < line->len && strchr(letters, line->text[at]))
		at++;
	return at;
}

static size_t find_text(const struct line *line, const char *what, size_t from)
{
	while (from < line->len && !syntax_begins(line, from, what))
		from++;
	return from;
}

/* ---- characters ---- */

static const struct {
	const char *bytes, *what;
} blanks[] =
	{
		{"\xC2\xA0", "a no-break space, expected a blank"},
		{"\xE2\x80\xAF", "a narrow no-break space, expected a blank"},
		{"\xE2\x80\x89", "a thin space, expected a blank"},
		{"\xE2\x80\x8B", "an invisible space, expected nothing or a blank"},
		{"\xE3\x80\x80", "a wide space, expected a blank"},
		{"\xEF\xBB\xBF", "a byte order mark, expected it at the start of the file only"},
},
  dashes[] =
	  {
		  {"\xE2\x80\x93", "a long dash, expected '- '"},
		  {"\xE2\x80\x94", "a long dash, expected '- '"},
		  {"\xE2\x88\x92", "a minus sign, expected '- '"},
		  {"\xE2\x80\xA2", "a bullet, expected '- '"},
},
  colons[] = {
	  {"\xEF\xBC\x9A", "a wide colon, expected ': '"},
};

static const char *const quotes[] = {"\xE2\x80\x9C", "\xE2\x80\x9D", "\xE2\x80\x9E", "\xE2\x80\x98",
				     "\xE2\x80\x99", "\xE2\x80\x9A", "\xC2\xAB",     "\xC2\xBB"};

static bool at_edge(const char *text, const char *bytes)
{
	size_t len = strlen(text), size = strlen(bytes);

	return len >= size &&
	       (memcmp(text, bytes, size) == 0 || memcmp(text + len - size, bytes, size) == 0);
}

const char *syntax_foreign(const char *text, bool is_key)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(blanks); i++)
		if (is_key ? strstr(text, blanks[i].bytes) != NULL : at_edge(text, blanks[i].bytes))
			return blanks[i].what;
	for (size_t i = 0; i < PB_ARRAY_SIZE(quotes); i++)
		if (at_edge(text, quotes[i]))
			return "a typographic quote, expected \" or '";
	return NULL;
}

static bool foreign_in(const struct line *line, struct said *said)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(blanks); i++) {
		size_t at = find_text(line, blanks[i].bytes, 0);

		if (at < line->len) {
			syntax_say(said, line->at, column(line, at), blanks[i].what);
			return true;
		}
	}
	for (size_t i = 0; i < PB_ARRAY_SIZE(dashes); i++) {
		if (syntax_begins(line, line->indent, dashes[i].bytes)) {
			syntax_say(said, line->at, line->indent, dashes[i].what);
			return true;
		}
	}
	for (size_t i = 0; i < PB_ARRAY_SIZE(colons); i++) {
		size_t at = word_end(line, content(line));

		if (at > content(line) && syntax_begins(line, at, colons[i].bytes)) {
			syntax_say(said, line->at, at, colons[i].what);
			return true;
		}
	}
	return false;
}

static bool tab_in(const struct line *line, struct said *said)
{
	const char *tab = memchr(line->text, '\t', line->indent);

	if (!tab || is_empty(line))
		return false;
	syntax_say(said, line->at, (size_t)(tab - line->text),
		   "a tab, expected blanks in front of a line");
	return true;
}

/* "name:house" */
static bool no_blank_in(const struct line *line, struct said *said)
{
	size_t from = content(line), at = word_end(line, from);
	char text[100];

	if (syntax_begins(line, from, "-") && word_end(line, from + 1) > from + 1) {
		syntax_say(said, line->at, from + 1, "no blank after the '-', expected '- '");
		return true;
	}
	if (at == from || at + 1 >= line->len || line->text[at] != ':' ||
	    strchr(" \t", line->text[at + 1]))
		return false;
	snprintf(text, sizeof(text), "no blank after '%.*s:', expected 'key: value'",
		 (int)(at - from < 60 ? at - from : 60), line->text + from);
	syntax_say(said, line->at, at + 1, text);
	return true;
}

bool syntax_is_comment(struct syntax *syntax, yaml_mark_t mark)
{
	struct line line;
	size_t at;

	if (!syntax->cursor || mark.line < syntax->cursor_line) {
		syntax->cursor = syntax->text;
		syntax->cursor_line = 0;
	}
	syntax->cursor = skip_lines(syntax, syntax->cursor, mark.line - syntax->cursor_line);
	syntax->cursor_line = mark.line;
	if (!syntax->cursor)
		return false;
	syntax_measure(syntax, syntax->cursor, mark.line, &line);
	at = bytes_to(&line, mark.column);
	while (at < line.len && line.text[at] == ' ')
		at++;
	return at + 1 < line.len && line.text[at] == '#' && !strchr(" #\t", line.text[at + 1]);
}

/* ---- rules: @p the line where libyaml stopped, @above the one above it ---- */

struct place {
	const struct syntax *s;
	struct line p, above;
	bool has_above;
};

typedef bool (*rule)(const struct place *at, struct said *said);

static bool says(const struct place *at, const char *what)
{
	const yaml_parser_t *y = at->s->yaml;

	return (y->problem && strstr(y->problem, what)) || (y->context && strstr(y->context, what));
}

/* The line above first: what is wrong there is found out here. */
static bool in_lines(const struct place *at, bool (*look)(const struct line *, struct said *),
		     struct said *said)
{
	return (at->has_above && look(&at->above, said)) || look(&at->p, said);
}

static bool rule_tab(const struct place *at, struct said *said)
{
	return in_lines(at, tab_in, said);
}

static bool rule_foreign(const struct place *at, struct said *said)
{
	return in_lines(at, foreign_in, said);
}

static bool rule_no_blank(const struct place *at, struct said *said)
{
	return in_lines(at, no_blank_in, said);
}

static bool rule_quote(const struct place *at, struct said *said)
{
	const struct syntax *s = at->s;
	const yaml_mark_t *context = &s->yaml->context_mark;
	const yaml_mark_t *problem = &s->yaml->problem_mark;
	char text[100];

	if (says(at, "scanning a quoted scalar")) {
		syntax_say(said, context->line, context->column,
			   "this quote is never closed, expected another one");
		return true;
	}
	if (!s->quoted || s->end.line != problem->line)
		return false;
	if (s->end.line > s->start.line) {
		snprintf(text, sizeof(text),
			 "this quote is closed in line %zu only, expected its end in this line",
			 s->end.line + 1);
		syntax_say(said, s->start.line, s->start.column, text);
		return true;
	}
	if (s->end.column != problem->column)
		return false;
	syntax_say(said, problem->line, problem->column,
		   "text after the closing quote, expected the line's end");
	return true;
}

static char mark_char(const struct place *at)
{
	size_t byte = bytes_to(&at->p, at->s->yaml->problem_mark.column);

	return byte < at->p.len ? at->p.text[byte] : '\0';
}

static bool rule_sign(const struct place *at, struct said *said)
{
	const yaml_mark_t *context = &at->s->yaml->context_mark;
	const yaml_mark_t *problem = &at->s->yaml->problem_mark;
	char text[100];

	if (says(at, "scanning an alias") || says(at, "scanning an anchor")) {
		snprintf(text, sizeof(text), "'%c' begins %s, expected the value in quotes",
			 says(at, "alias") ? '*' : '&',
			 says(at, "alias") ? "an alias" : "an anchor");
		syntax_say(said, context->line, context->column, text);
		return true;
	}
	if (says(at, "block scalar")) {
		syntax_say(said, context->line, context->column,
			   "'|' and '>' begin a text of many lines, expected the value in quotes");
		return true;
	}
	if (says(at, "escape character")) {
		syntax_say(said, problem->line, problem->column,
			   "'\\' within double quotes, expected single ones around the value");
		return true;
	}
	if (!says(at, "cannot start any token") || !mark_char(at))
		return false;
	snprintf(text, sizeof(text), "a value can't begin with '%c', expected it in quotes",
		 mark_char(at));
	syntax_say(said, problem->line, problem->column, text);
	return true;
}

/* "[::]:502" */
static bool rule_brackets(const struct place *at, struct said *said)
{
	size_t open = find_text(&at->p, ": [", 0) + 2;
	size_t end = open + 1;
	bool colon = false;

	if (open >= at->p.len)
		return false;
	for (; end < at->p.len && at->p.text[end] && !strchr("[]{},\"' ", at->p.text[end]); end++)
		colon = colon || at->p.text[end] == ':';
	if (!colon || !syntax_begins(&at->p, end, "]"))
		return false;
	syntax_say(said, at->p.at, column(&at->p, open),
		   "'[' begins a list, expected an address with brackets in quotes");
	return true;
}

/* "- {a: 1}}", and "- {a: 1}" with a line below that should belong to it */
static bool rule_closed(const struct place *at, struct said *said)
{
	char c = mark_char(at), text[120];
	size_t end = at->above.len;

	if (!says(at, "did not find expected") || says(at, "flow "))
		return false;
	if (c == '}' || c == ']') {
		snprintf(text, sizeof(text),
			 "this '%c' closes nothing, expected as many '%c' before it", c,
			 c == '}' ? '{' : '[');
		syntax_say(said, at->p.at, at->s->yaml->problem_mark.column, text);
		return true;
	}
	while (at->has_above && end > 0 && strchr(" \r", at->above.text[end - 1]))
		end--;
	if (!at->has_above || end == 0 || !strchr("}]", at->above.text[end - 1]) ||
	    at->p.indent <= at->above.indent)
		return false;
	snprintf(text, sizeof(text), "the entry above ends with its '%c', expected this before it",
		 at->above.text[end - 1]);
	syntax_say(said, at->p.at, at->p.indent, text);
	return true;
}

static bool rule_flow(const struct place *at, struct said *said)
{
	const yaml_mark_t *context = &at->s->yaml->context_mark;
	bool list = says(at, "flow sequence");
	char text[160];

	if (!list && !says(at, "flow mapping"))
		return false;
	snprintf(text, sizeof(text),
		 "this '%c' has no '%c', or a ',' is missing before %zu:%zu, expected them; a "
		 "value that begins so needs quotes",
		 list ? '[' : '{', list ? ']' : '}', at->s->yaml->problem_mark.line + 1,
		 at->s->yaml->problem_mark.column + 1);
	syntax_say(said, context->line, context->column, text);
	return true;
}

static bool rule_two_colons(const struct place *at, struct said *said)
{
	size_t stop = bytes_to(&at->p, at->s->yaml->problem_mark.column);
	size_t first = find_text(&at->p, ": ", 0);

	if (!says(at, "mapping values are not allowed") || first >= stop)
		return false;
	syntax_say(
		said, at->p.at, at->s->yaml->problem_mark.column,
		"a second ': ' in the line, expected a line for each key, or the value in quotes");
	return true;
}

static bool rule_no_colon(const struct place *at, struct said *said)
{
	struct line line = at->above;

	if (says(at, "could not find expected ':'")) {
		if (!find_line(at->s, at->s->yaml->context_mark.line, &line))
			return false;
	} else if (!says(at, "mapping values are not allowed") || !at->has_above ||
		   memchr(line.text, ':', line.len)) {
		return false;
	}
	syntax_say(said, line.at, content(&line),
		   find_text(&line, "=", 0) < line.len
			   ? "'=' in the line, expected 'key: value'"
			   : "no ': ' in the line, expected 'key: value', or '#' before a comment");
	return true;
}

static size_t syntax_distance(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * Of the blocks that are open above @p, the one whose indent is nearest; of an item, lists only.
 * @return false: there is none.
 */
static bool nearest_block(const struct place *at, size_t *ret_line, size_t *ret_indent)
{
	struct line line = at->p, above;
	bool item = is_item(&at->p), found = false;
	size_t open = SIZE_MAX;

	while (line_above(at->s, &line, &above)) {
		size_t indent = item ? above.indent : content(&above);

		line = above;
		if (indent >= open || (item && !is_item(&above)))
			continue;
		open = indent;
		if (found && syntax_distance(indent, at->p.indent) >=
				     syntax_distance(*ret_indent, at->p.indent))
			continue;
		found = true;
		*ret_line = above.at;
		*ret_indent = indent;
	}
	return found;
}

static bool rule_indent(const struct place *at, struct said *said)
{
	size_t line = 0, indent = 0;
	char text[100];

	if (!nearest_block(at, &line, &indent) || indent == at->p.indent)
		return false;
	snprintf(text, sizeof(text), "indented by %zu, expected %zu as in %zu:%zu", at->p.indent,
		 indent, line + 1, indent + 1);
	syntax_say(said, at->p.at, at->p.indent, text);
	return true;
}

/* clang-format off */
static const rule rules[] = {
	rule_tab, rule_foreign, rule_quote, rule_sign, rule_brackets, rule_no_blank, rule_closed, rule_flow,
	rule_two_colons, rule_no_colon, rule_indent,
};
/* clang-format on */

/* ---- the whole ---- */

/* libyaml gives a byte and no line. */
static void reader_error(const struct syntax *s, const char *file, struct pb_report *report)
{
	size_t stop = s->yaml->problem_offset < s->len ? s->yaml->problem_offset : s->len;
	unsigned int line = 1, col = 1;

	for (size_t i = 0; i < stop; i++) {
		bool end = s->text[i] == '\n';

		line += end;
		col = end ? 1 : col + !is_utf8_tail(s->text[i]);
	}
	pb_report_add(report, file, line, col,
		      "%s, expected UTF-8 text: save the file in that encoding", s->yaml->problem);
}

void syntax_explain(const struct syntax *syntax, const char *file, struct pb_report *report)
{
	const yaml_parser_t *y = syntax->yaml;
	const yaml_mark_t *mark = &y->problem_mark;
	struct place at = {.s = syntax};
	struct said said;

	if (y->error == YAML_READER_ERROR) {
		reader_error(syntax, file, report);
		return;
	}
	if (!find_line(syntax, mark->line, &at.p)) /* behind the end */
		at.p = (struct line){.text = syntax->text + syntax->len, .at = mark->line};
	at.has_above = line_above(syntax, &at.p, &at.above);
	for (size_t i = 0; i < PB_ARRAY_SIZE(rules); i++) {
		if (!rules[i](&at, &said))
			continue;
		if (said.line + 1 == syntax->told) /* and this follows from it */
			return;
		pb_report_add(report, file, (unsigned int)said.line + 1, (unsigned int)said.col + 1,
			      "%s", said.what);
		return;
	}
	pb_report_add(report, file, (unsigned int)mark->line + 1, (unsigned int)mark->column + 1,
		      "%s%s%s, expected YAML", y->problem ? y->problem : "unreadable",
		      y->context ? " " : "", y->context ? y->context : "");
}
