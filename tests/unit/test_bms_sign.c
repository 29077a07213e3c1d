/* SPDX-License-Identifier: MIT */
/* Advertisements: each is taken for what it is. */
#include "packbridge/bms.h"

#include "suite.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { ADVERTS = 170 };

static const struct pb_codec *const codecs[] = {
	&pb_codec_jbd,
	&pb_codec_daly,
	&pb_codec_jk,
	NULL,
};

static json_t *root;

static const char *text(const json_t *entry, const char *key)
{
	const char *value = json_string_value(json_object_get(entry, key));

	return value ? value : "";
}

static const json_t *load_advert(size_t index, struct pb_advert *ret)
{
	const json_t *entry = json_array_get(json_object_get(root, "entries"), index), *service;
	size_t i;

	*ret = (struct pb_advert){0};
	ck_assert_int_eq(pb_hex_parse(text(entry, "address"), ret->mac, 6), 6);
	snprintf(ret->name, sizeof(ret->name), "%s", text(entry, "name"));
	ret->maker_len = (size_t)pb_hex_parse(text(entry, "manufacturer_data"), ret->maker,
					      sizeof(ret->maker));
	json_array_foreach(json_object_get(entry, "services"), i, service)
	{
		unsigned int uuid = (unsigned int)strtoul(json_string_value(service), NULL, 16);

		if (ret->uuid_count < PB_ADVERT_UUIDS)
			ret->uuids[ret->uuid_count++] = (uint16_t)uuid;
	}
	return entry;
}

/* @return name of the protocol, "" for none. */
static const char *recognise(const struct pb_advert *advert)
{
	const struct pb_sign *sign;
	const struct pb_codec *codec = pb_codec_of_advert(codecs, advert, &sign);

	ck_assert(!codec == !sign);
	return codec ? codec->name : "";
}

START_TEST(all_are_there)
{
	ck_assert_uint_eq(json_array_size(json_object_get(root, "entries")), ADVERTS);
}
END_TEST

START_TEST(each_is_what_it_is)
{
	struct pb_advert advert;
	const json_t *entry = load_advert((size_t)_i, &advert);

	ck_assert_msg(strcmp(recognise(&advert), text(entry, "expect")) == 0, "%s: %s",
		      text(entry, "id"), recognise(&advert));
}
END_TEST

/* No order of the codecs decides: of a real advertisement, one codec alone has signs. */
START_TEST(none_is_claimed_twice)
{
	struct pb_advert advert;
	const json_t *entry = load_advert((size_t)_i, &advert);
	int claims = 0;

	for (size_t i = 0; codecs[i]; i++) {
		const struct pb_codec *const one[] = {codecs[i], NULL};
		const struct pb_sign *sign;

		claims += pb_codec_of_advert(one, &advert, &sign) != NULL;
	}
	ck_assert_msg(claims <= 1, "%s: %d codecs", text(entry, "id"), claims);
}
END_TEST

/* The name of another maker's pack, given by an owner, changes nothing for a sign in maker data. */
START_TEST(maker_data_goes_before_names)
{
	static const char *const others[] = {"Boat", "DL-0123", "JK_B2A8S20P", "xiaoxiang BMS", ""};
	struct pb_advert advert;
	const struct pb_sign *sign;
	const json_t *entry = load_advert((size_t)_i, &advert);

	if (!pb_codec_of_advert(codecs, &advert, &sign) || !sign->maker)
		return;
	for (size_t i = 0; i < PB_ARRAY_SIZE(others); i++) {
		snprintf(advert.name, sizeof(advert.name), "%s", others[i]);
		ck_assert_msg(strcmp(recognise(&advert), text(entry, "expect")) == 0,
			      "%s as '%s': %s", text(entry, "id"), others[i], recognise(&advert));
	}
}
END_TEST

/* Cut anywhere, maker data says less, never something else. */
START_TEST(cut_maker_data)
{
	struct pb_advert advert;
	const json_t *entry = load_advert((size_t)_i, &advert);

	for (; advert.maker_len > 0; advert.maker_len--) {
		const char *said = recognise(&advert);

		ck_assert_msg(!*said || strcmp(said, text(entry, "expect")) == 0, "%s, %zu: %s",
			      text(entry, "id"), advert.maker_len, said);
	}
}
END_TEST

static struct pb_advert made(const char *maker, uint16_t service)
{
	struct pb_advert advert = {.name = "Boat",
				   .mac = {0x40, 0x18, 0x07, 1, 2, 3},
				   .uuid_count = service ? 1 : 0,
				   .uuids = {service}};

	advert.maker_len = (size_t)pb_hex_parse(maker, advert.maker, sizeof(advert.maker));
	return advert;
}

/* 88 A0 and the own address is the radio's: of all ids, three are JK's. */
START_TEST(radio_of_many_makers)
{
	struct pb_advert advert = made("000088a0401807010203", 0xFFE0);
	int claimed = 0;

	for (unsigned int id = 0; id <= UINT16_MAX; id++) {
		pb_put_be16(advert.maker, (uint16_t)id);
		claimed += *recognise(&advert) != '\0';
	}
	ck_assert_int_eq(claimed, 3);
}
END_TEST

/* Whatever the id and the byte behind it: who made the board stands behind the own address. */
START_TEST(daly_by_its_own_address)
{
	struct pb_advert advert = made("0000004018070102034a4842", 0);

	for (unsigned int id = 0; id <= UINT16_MAX; id += 7) {
		pb_put_be16(advert.maker, (uint16_t)id);
		advert.maker[2] = (uint8_t)id;
		ck_assert_str_eq(recognise(&advert), "daly");
	}
	advert = made("0001044018070102035043003132", 0); /* PACE's, the same radio */
	ck_assert_str_eq(recognise(&advert), "");
	advert = made("020316401807010204444c", 0); /* another's address */
	ck_assert_str_eq(recognise(&advert), "");
	advert = made("020116401807010203", 0); /* a Daly id, nothing behind the address */
	ck_assert_str_eq(recognise(&advert), "daly");
	advert = made("0601", 0xFFF0);
	ck_assert_str_eq(recognise(&advert), "daly");
	advert = made("0601", 0);
	ck_assert_str_eq(recognise(&advert), "");
}
END_TEST

static const struct {
	const char *maker;
	uint16_t services[2];
	const char *name, *protocol;
} jbds[] = {
	{"030201071840", {0xFF00}, "Boat", "jbd"},
	{"030201071840", {0xFF00, 0x0001}, "Boat", "jbd"},
	{"401807010203", {0xFF00}, "Boat", "jbd"},
	{"40180701020300014c03", {0xFF00}, "Boat", "jbd"},
	/* Humsienk's, too: the name decides */
	{"401807010203", {0xFF00, 0x0001}, "Boat", ""},
	{"401807010203", {0xFF00, 0x0001}, "HS0203", ""},
	{"401807010203", {0xFF00, 0x0001}, "ECO0203", ""},
	{"401807010203", {0xFF00, 0x0001}, "OGR-48100-1", "jbd"},
	{"030201071840", {0xFF06}, "Boat", "jbd"},
	{"", {0xFF06}, "12150EG00041", "jbd"},
	{"7b0002ffff7d", {0xFF00}, "Boat", "jbd"},
	{"007b02ffff7d", {0xFF00}, "Boat", "jbd"},
	{"7b0002ffff7d", {0xFF00}, "HSKS-25A-118", ""},
	{"7b0002ffff7d", {0xFF00}, "BL-25F-170-118", ""},
	{"7b0002ffff7b", {0xFF00}, "Boat", ""},
	{"7b0002ff", {0xFF00}, "Printer", ""},
	{"7b0002ffff7d", {0xFFF0}, "Boat", ""},
	{"030201071840", {0xFFF0}, "Boat", ""},
	{"", {0xFF00}, "BP02", ""},
	{"4a4b0001", {0xFFE0}, "Boat", "jk"},
	{"4a4b0001", {0xFF00}, "Boat", ""},
};

START_TEST(by_service)
{
	struct pb_advert advert = made(jbds[_i].maker, 0);

	for (; advert.uuid_count < 2 && jbds[_i].services[advert.uuid_count]; advert.uuid_count++)
		advert.uuids[advert.uuid_count] = jbds[_i].services[advert.uuid_count];
	snprintf(advert.name, sizeof(advert.name), "%s", jbds[_i].name);
	ck_assert_str_eq(recognise(&advert), jbds[_i].protocol);
}
END_TEST

/* A strong sign of a codec further down goes before a weak one further up. */
START_TEST(the_strongest_sign_decides)
{
	struct pb_advert advert = made("020316401807010203444c", 0xFF00);

	snprintf(advert.name, sizeof(advert.name), "xiaoxiang BMS");
	ck_assert_str_eq(recognise(&advert), "daly");
	advert = made("650b88a0401807010203", 0xFFE0);
	snprintf(advert.name, sizeof(advert.name), "DL-401807010203");
	ck_assert_str_eq(recognise(&advert), "jk");
}
END_TEST

START_TEST(every_sign_says_who_saw_it)
{
	for (size_t i = 0; codecs[i]; i++)
		for (const struct pb_sign *sign = codecs[i]->signs; sign->text; sign++)
			ck_assert_msg(sign->source && *sign->source, "%s: %s", codecs[i]->name,
				      sign->text);
}
END_TEST

static void load(void)
{
	root = json_load_file(PB_TEST_DATA "/adverts/adverts.json", 0, NULL);
	ck_assert_ptr_nonnull(root);
}

static void unload(void)
{
	json_decref(root);
}

/* Each codec says what the radio modules of its packs have, in the order in which it is tried. */
START_TEST(radio_modules)
{
	static const char *const services[] = {"fff0", "ff00", "ff06", "ffe0", NULL};

	for (const struct pb_codec *const *codec = codecs; *codec; codec++) {
		const struct pb_pipe *pipe = (*codec)->pipes;

		ck_assert_ptr_nonnull(pipe);
		for (size_t i = 0; services[i]; i++, pipe++)
			ck_assert_str_eq(pipe->service, services[i]);
		ck_assert_ptr_null(pipe->service);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("sign");

	tcase_add_unchecked_fixture(tcase, load, unload);
	tcase_add_test(tcase, all_are_there);
	tcase_add_loop_test(tcase, each_is_what_it_is, 0, ADVERTS);
	tcase_add_loop_test(tcase, none_is_claimed_twice, 0, ADVERTS);
	tcase_add_loop_test(tcase, maker_data_goes_before_names, 0, ADVERTS);
	tcase_add_loop_test(tcase, cut_maker_data, 0, ADVERTS);
	tcase_add_test(tcase, radio_modules);
	tcase_add_test(tcase, radio_of_many_makers);
	tcase_add_test(tcase, daly_by_its_own_address);
	tcase_add_loop_test(tcase, by_service, 0, PB_ARRAY_SIZE(jbds));
	tcase_add_test(tcase, the_strongest_sign_decides);
	tcase_add_test(tcase, every_sign_says_who_saw_it);
	return pb_run_suite("bms/sign", tcase);
}
