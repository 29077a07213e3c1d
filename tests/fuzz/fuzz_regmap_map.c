/* SPDX-License-Identifier: MIT */
/* Any bytes as a map: refused with errors, or a map that can be shown, encoded and read. */
#include "packbridge/model/battery.h"
#include "packbridge/model/gateway.h"
#include "packbridge/regmap.h"
#include "packbridge/yaml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static union {
	struct pb_battery pack;
	struct pb_gateway gateway;
} least, most;

/* Every number at an end of what its bytes hold, far beyond what the catalogue promises. */
static void set_all(enum pb_scope scope, void *data, bool high)
{
	size_t count;
	const struct pb_field *fields = pb_fields(scope, &count);

	memset(data, 0, sizeof(least));
	for (size_t i = 0; i < count; i++) {
		const struct pb_field *field = &fields[i];
		unsigned int bits = 8U * field->size - field->is_signed;
		int64_t max = bits >= 63 ? INT64_MAX : (INT64_C(1) << bits) - 1;

		if (field->kind == PB_KIND_TEXT)
			memset((char *)data + field->offset, 'x', field->size - 1U);
		for (unsigned int k = 0; field->kind != PB_KIND_TEXT && k < field->count; k++)
			pb_field_set(field, data, k, high ? max : field->is_signed ? -max - 1 : 0);
	}
}

static void show(const struct pb_map *map)
{
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;

		pb_map_row(map, i, &row);
		if (!row.description || !row.unit || !row.scale || row.words == 0 ||
		    row.addr + row.words > 65536)
			abort();
	}
}

static void read_all(const struct pb_image *image)
{
	for (size_t i = 0; i < image->block_count; i++) {
		const struct pb_block *block = &image->blocks[i];
		uint8_t table = block->tables & (uint8_t)-block->tables; /* one of them */
		uint8_t function = table == PB_TABLE_COIL	? PB_FC_READ_COILS
				   : table == PB_TABLE_DISCRETE ? PB_FC_READ_DISCRETE_INPUTS
				   : table == PB_TABLE_HOLDING	? PB_FC_READ_HOLDING_REGISTERS
								: PB_FC_READ_INPUT_REGISTERS;
		uint8_t pdu[5] = {function}, reply[PB_PDU_MAX];

		pb_put_be16(pdu + 1, block->addr);
		pb_put_be16(pdu + 3, (uint16_t)block->count);
		/* each block is one request, by the format's promise */
		if (pb_modbus_reply(NULL, image, pdu, sizeof(pdu), reply) > 0 &&
		    reply[0] != function && reply[1] != PB_EXCEPTION_GATEWAY_TARGET)
			abort();
	}
}

static void encode(const struct pb_map *map)
{
	PB_CLEANUP(pb_unit_image_freep) struct pb_unit_image *image = NULL;

	if (pb_unit_image_new(&image, map) < 0)
		return;
	set_all(pb_map_scope(map), &least, false);
	set_all(pb_map_scope(map), &most, true);
	read_all(pb_unit_image_get(image));
	pb_unit_image_encode(image, &least, false);
	read_all(pb_unit_image_get(image));
	pb_unit_image_refresh(image, &most);
	pb_unit_image_encode(image, &most, false);
	pb_unit_image_encode(image, &most, true);
	read_all(pb_unit_image_get(image));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = NULL;
	struct pb_report report = {0};
	int r = pb_map_parse(&map, "fuzz", (const char *)data, size, &report);

	if (r == 0 ? !map || report.count : map || !report.count)
		abort();
	pb_report_clear(&report);
	if (map) {
		show(map);
		encode(map);
	}
	return 0;
}
