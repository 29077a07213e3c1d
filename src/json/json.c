/* SPDX-License-Identifier: MIT */
#include "packbridge/json.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "packbridge/model/gateway.h"
#include "packbridge/model/plausible.h"

#include <stdio.h>
#include <string.h>

static json_t *json_date(int64_t date)
{
	char text[16];

	snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)(date / 10000), (int)(date / 100 % 100),
		 (int)(date % 100));
	return json_string(text);
}

json_t *pb_json_value(const struct pb_field *field, int64_t value)
{
	switch (field->kind) {
	case PB_KIND_BOOL:
		return json_boolean(value);
	case PB_KIND_DATE:
		return json_date(value);
	case PB_KIND_NUMBER:
	case PB_KIND_MASK:
	case PB_KIND_ENUM:
	case PB_KIND_TEXT:
		break;
	}
	return json_integer(value);
}

/* Elements up to the last one that was reported. @return NULL: none was. */
static json_t *json_array_field(const struct pb_field *field, const void *data)
{
	json_t *array = json_array();
	int64_t value;
	unsigned int count = 0;

	for (unsigned int i = 0; i < field->count; i++)
		if (pb_field_get(field, data, i, &value))
			count = i + 1;
	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(array, pb_field_get(field, data, i, &value)
						     ? pb_json_value(field, value)
						     : json_null());
	if (count > 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *json_field(const struct pb_field *field, const void *data)
{
	const char *text;
	int64_t value;

	if (field->kind == PB_KIND_TEXT) {
		text = pb_field_text(field, data);
		return text ? json_string(text) : NULL;
	}
	if (field->indexed)
		return json_array_field(field, data);
	return pb_field_get(field, data, 0, &value) ? pb_json_value(field, value) : NULL;
}

/* The object that holds what @name's last part names, made when it is missing; and that part. */
static json_t *nest(json_t *object, const char *name, const char **ret_last)
{
	const char *dot = strchr(name, '.');
	char outer[32];
	json_t *inner;

	*ret_last = name;
	if (!dot)
		return object;
	*ret_last = dot + 1;
	snprintf(outer, sizeof(outer), "%.*s", (int)(dot - name), name);
	inner = json_object_get(object, outer);
	if (!inner) {
		inner = json_object();
		json_object_set_new(object, outer, inner);
	}
	return inner;
}

void pb_json_set(json_t *object, const struct pb_field *field, unsigned int index, json_t *value)
{
	const char *name;
	json_t *array;

	object = nest(object, field->name, &name);
	if (!field->indexed) {
		json_object_set_new(object, name, value);
		return;
	}
	array = json_object_get(object, name);
	if (!array) {
		array = json_array();
		json_object_set_new(object, name, array);
	}
	if (json_is_null(value) && index >= json_array_size(array))
		return; /* only what comes after it would make it an element */
	while (json_array_size(array) <= index)
		json_array_append_new(array, json_null());
	json_array_set_new(array, index, value);
}

bool pb_json_has(json_t *object, const struct pb_field *field, unsigned int index)
{
	const char *name;
	json_t *value;

	object = nest(object, field->name, &name);
	value = json_object_get(object, name);
	if (field->indexed)
		value = json_array_get(value, index);
	return value && !json_is_null(value);
}

static void json_add_field(json_t *object, const struct pb_field *field, const void *data)
{
	json_t *value = json_field(field, data), *inner;
	const char *name;

	if (!value)
		return;
	inner = nest(object, field->name, &name);
	json_object_set_new(inner, name, value);
}

json_t *pb_json_sample(const struct pb_sample *sample)
{
	struct pb_battery data = {.sample = *sample};
	json_t *object = json_object();
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);

	for (size_t i = 0; i < count; i++)
		if (fields[i].data && fields[i].offset < sizeof(data.sample))
			json_add_field(object, &fields[i], &data);
	return object;
}

json_t *pb_json_battery(const struct pb_battery *battery, bool stale)
{
	json_t *object = json_object();
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_BATTERY, &count);

	for (size_t i = 0; i < count; i++)
		if (!stale || !fields[i].data)
			json_add_field(object, &fields[i], battery);
	return object;
}

json_t *pb_json_gateway(const struct pb_gateway *gateway)
{
	json_t *object = json_object();
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_GATEWAY, &count);

	for (size_t i = 0; i < count; i++)
		if (!fields[i].indexed)
			json_add_field(object, &fields[i], gateway);
	return object;
}

static json_t *json_refusal(const struct pb_refusal *refusal)
{
	const struct pb_field *field = refusal->field;
	char text[PB_REFUSAL_TEXT_MAX];
	json_t *object;

	pb_refusal_text(refusal, text, sizeof(text));
	object =
		json_pack("{s:s, s:I, s:b, s:s}", field ? "field" : "reply",
			  field ? field->name : refusal->reply, "times", (json_int_t)refusal->times,
			  "reading", !field || field->vital, "text", text);
	if (!field)
		return object;
	if (field->indexed)
		json_object_set_new(object, "index", json_integer(refusal->index));
	json_object_set_new(object, "value", json_integer(refusal->value));
	json_object_set_new(object, "min", json_integer(refusal->min));
	json_object_set_new(object, "max", json_integer(refusal->max));
	return object;
}

json_t *pb_json_refusals(const struct pb_refusals *refusals)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refusals->count; i++)
		json_array_append_new(list, json_refusal(&refusals->rows[i]));
	return list;
}

void pb_json_print_refusals(json_t *refusals, const char *head)
{
	json_t *refusal;
	size_t i;

	json_array_foreach(refusals, i, refusal)
	{
		printf("%s%s\n", head, json_string_value(json_object_get(refusal, "text")));
	}
}

void pb_json_print(json_t *object)
{
	json_t *value;
	const char *key;

	json_object_foreach(object, key, value)
	{
		printf("  %-21s ", key);
		json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
}
