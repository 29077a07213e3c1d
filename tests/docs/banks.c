/* SPDX-License-Identifier: MIT */
/* Prints the table of docs/banks.md, how each value of a bank comes about, from the rules of room
 * bank. */
#include "packbridge/bank.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Rows that say the same make one line. */
static bool same(const struct pb_bank_rule *a, const struct pb_bank_rule *b)
{
	return strcmp(a->parallel, b->parallel) == 0 && strcmp(a->series, b->series) == 0 &&
	       a->from == b->from && a->reported == b->reported && a->counted == b->counted;
}

static void print_how(const struct pb_bank_rule *rule, const char *how)
{
	printf(" | %s", how);
	if (rule->from)
		printf(" (`%s`)", rule->from);
	if (rule->counted)
		fputs(", of all packs, good or not", stdout);
}

int main(void)
{
	struct pb_bank_rule rule, next;

	puts("| field | in parallel | in series |\n| --- | --- | --- |");
	for (size_t i = 0; pb_bank_rule(i, &rule); i++) {
		assert(rule.field); /* the catalogue has just such a field */
		printf("| `%s`", rule.field);
		for (; pb_bank_rule(i + 1, &next) && same(&rule, &next); i++) {
			assert(next.field);
			printf(", `%s`", next.field);
		}
		fputs(rule.reported ? " *" : "", stdout);
		print_how(&rule, rule.parallel);
		print_how(&rule, rule.series);
		puts(" |");
	}
	return 0;
}
