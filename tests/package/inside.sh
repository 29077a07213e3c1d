#!/bin/bash
# SPDX-License-Identifier: MIT
# Inside the booted machine: the service, as its operator meets it.
failed=0
bad() {
	failed=1
	echo "boot: FAILED: $*"
	journalctl -u packbridge --no-pager | tail -n 30
}
read_soc() { mbpoll -m tcp -p 1502 -a 1 -0 -r 17 -c 1 -t 4 -1 127.0.0.1 2>/dev/null | sed -n 's/^\[17\]:[[:space:]]*\([0-9]*\).*/\1/p'; }

systemctl is-enabled packbridge >/dev/null && bad "it is enabled though nobody has said so"
systemctl enable --now packbridge 2>/dev/null || bad "start: $(systemctl status packbridge --no-pager)"
systemctl is-active --quiet packbridge || bad "not active"
pid=$(systemctl show -P MainPID packbridge)
for _ in $(seq 100); do
	[ "$(read_soc)" = "" ] || [ "$(packbridge status --json | grep -c '"quality":"good"')" = 0 ] || break
	sleep 0.2
done
soc=$(read_soc)
[ -n "$soc" ] || bad "no register can be read"
echo "boot: systemd $(systemctl --version | sed -n '1s/.*(\(.*\))/\1/p') started it; state of charge $soc, $(systemctl show -P StatusText packbridge)"
[ "$(stat -c '%U %a' /run/packbridge/status.sock /run/packbridge/control.sock | tr '\n' ' ')" = "packbridge 666 packbridge 660 " ] ||
	bad "sockets: $(ls -l /run/packbridge)"
[ "$(stat -c %U "/proc/$pid")" = packbridge ] || bad "user $(stat -c %U "/proc/$pid")"
grep -q 'CapEff:.*0000000000000400' "/proc/$pid/status" || bad "capabilities: $(grep Cap "/proc/$pid/status")"
su -s /bin/sh nobody -c 'packbridge status' >/tmp/page || bad "status for another user: $(cat /tmp/page)"
su -s /bin/sh nobody -c 'packbridge reset' >/dev/null 2>&1 && bad "orders from another user"

# port 502, by reload
sed -i 's/127.0.0.1:1502/127.0.0.1:1502\n  - tcp: 127.0.0.1:502/' /etc/packbridge/packbridge.yaml
systemctl reload packbridge || bad "reload"
mbpoll -m tcp -p 502 -a 1 -0 -r 17 -c 1 -t 4 -1 127.0.0.1 >/dev/null 2>&1 || bad "port 502"
[ "$(systemctl show -P MainPID packbridge)" = "$pid" ] || bad "reload started it anew"
cp /etc/packbridge/packbridge.yaml /tmp/good.yaml
echo 'nonsense: 1' >>/etc/packbridge/packbridge.yaml
systemctl reload packbridge 2>/dev/null && bad "a wrong configuration was taken"
systemctl is-active --quiet packbridge || bad "a wrong configuration ended it"
cp /tmp/good.yaml /etc/packbridge/packbridge.yaml
echo "boot: reload: port 502 opened as an ordinary user; a wrong configuration is refused, and it goes on"

# journal fields
journalctl -u packbridge PACKBRIDGE_PACK=house PACKBRIDGE_UNIT=1 --no-pager -o cat | grep -q 'first reading' ||
	bad "journal: $(journalctl -u packbridge -o json --no-pager | tail -n 3)"

# the watchdog, and a crash
kill -STOP "$pid"
for _ in $(seq 300); do
	[ "$(systemctl show -P MainPID packbridge)" != "$pid" ] && systemctl is-active --quiet packbridge && break
	sleep 0.2
done
new=$(systemctl show -P MainPID packbridge)
[ "$new" != "$pid" ] && systemctl is-active --quiet packbridge || bad "the watchdog did not start it anew"
journalctl -u packbridge --no-pager | grep -q 'Watchdog timeout' || bad "no watchdog timeout"
echo "boot: hung, then started anew by the watchdog"
systemctl stop packbridge || bad "stop"
[ ! -e /run/packbridge/status.sock ] || bad "sockets are left"
[ "$(systemctl show -P Result packbridge)" = success ] || bad "result $(systemctl show -P Result packbridge)"

# socket activation
systemctl disable packbridge 2>/dev/null
mkdir -p /etc/systemd/system/packbridge.socket.d
printf '[Socket]\nListenStream=\nListenStream=127.0.0.1:502\n' >/etc/systemd/system/packbridge.socket.d/port.conf
systemctl daemon-reload
systemctl start packbridge.socket || bad "socket unit"
mbpoll -m tcp -p 502 -a 1 -0 -r 0 -c 1 -t 4 -1 -o 10 127.0.0.1 >/dev/null 2>&1 || bad "activation by a client"
systemctl is-active --quiet packbridge || bad "not activated"
echo "boot: started by its socket"
systemctl stop packbridge.socket packbridge
rm -r /etc/systemd/system/packbridge.socket.d
[ $failed -eq 0 ] && echo "boot: all good"
