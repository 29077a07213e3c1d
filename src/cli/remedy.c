/* SPDX-License-Identifier: MIT */
/* docs/bluetooth.md has the same texts; a test holds them against each other. */
#include "remedy.h"

#include <errno.h>
#include <stddef.h>

/* a remedy a line, to be found whole */
/* clang-format off */
const char *pb_remedy_link(int error)
{
	switch (-error) {
	case ENOLINK:
		return "start D-Bus (systemctl start dbus); in a container, bind /run/dbus into it";
	case EACCES:
		return "run it as root, or add the user to the group bluetooth and log in anew";
	case ESRCH:
		return "start it: systemctl start bluetooth (apt install bluez, if it is missing)";
	case ETIMEDOUT:
		return "try again; if it stays so: systemctl restart bluetooth";
	case ENODEV:
		return "plug one in, or look what `bluetoothctl list` and `rfkill list` say";
	case ENETDOWN:
		return "unblock it: rfkill unblock bluetooth";
	case EHOSTUNREACH:
		return "end the phone app (a pack takes one connection at a time), come nearer, or wake the pack with a load or a charger; `packbridge scan` shows what is heard";
	case EKEYREJECTED:
		return "give the number that the maker's app asks for: passkey: in the configuration, --passkey of `packbridge probe` (often 123456); `bluetoothctl remove ADDRESS` forgets an old pairing";
	case ENOPROTOOPT:
		return "is it the right device? The table above shows what it has";
	case EALREADY:
		return "end the other program that reads the pack; if there is none: systemctl restart bluetooth (before 5.84 BlueZ goes on believing so when a connection broke too early)";
	case ENOTCONN:
		return "try again; if the pack drops it at once, another central may be in its way";
	case ECONNREFUSED:
		return "is the device server's address and port right, and its line free?";
	default:
		return NULL;
	}
}

const char *pb_remedy_session(enum pb_error error)
{
	switch (error) {
	case PB_ERROR_SILENT:
		return "a module with a password (FF AA) is silent like this: give the one of the maker's app, password: in the configuration, --password of `packbridge probe` (often 123456 or 000000); else wake the pack with a load or a charger";
	case PB_ERROR_ECHO:
		return "modules of 2026 do so until they are paired: give the number that the maker's app asks for, passkey: in the configuration, --passkey of `packbridge probe` (often 123456)";
	case PB_ERROR_PASSWORD:
		return "give the password of the maker's app, up to 6 characters";
	case PB_ERROR_TIMEOUT:
	case PB_ERROR_GARBAGE:
	case PB_ERROR_CHECKSUM:
		return "is it this protocol, and on a wire, is the speed right? `packbridge probe --trace` shows the bytes";
	case PB_ERROR_LATE:
		return "the line is slower than what the pack sends, or something keeps the bytes: raise its speed, or ask less often";
	case PB_ERROR_UNSOLICITED:
		return "take the other device or program off this line: replies to it can't be told from replies to us";
	case PB_ERROR_SHARED_LINE:
		return "give each board a link of its own, e.g. Bluetooth or its own port: on a line of parallel JK boards each answers for another";
	case PB_ERROR_REFUSED:
	case PB_ERROR_IMPOSSIBLE:
		return "`packbridge probe --trace` shows the bytes; please report them";
	case PB_ERROR_NONE:
	case PB_ERROR_CONNECT:
	case PB_ERROR_LINK_LOST:
	case PB_ERROR_RELEASED:
	case PB_ERROR_COUNT:
		break;
	}
	return NULL;
}
/* clang-format on */
