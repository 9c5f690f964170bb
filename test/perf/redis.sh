# Debian's redis-server with 1 GiB of data, over an AF_UNIX socket: what a snapshot costs it and its clients.
# Prints results as perf does: nanoseconds. Runs in the machine; see tools/bench.
mkdir -p /tmp/redis && cd /tmp/redis
socket=/tmp/redis/socket
redis() { /perf/redis-cli -s $socket "$@"; }
field() { redis info "$1" | tr -d '\r' | sed -n "s/^$2://p"; }

/perf/redis-server --port 0 --unixsocket $socket --save '' --enable-debug-command yes > server.log 2>&1 &
server=$!
until [ -S $socket ]; do sleep 0.1; done
redis debug populate 1000000 key 1000 > /dev/null
[ "$(redis dbsize)" = 1000000 ] || { echo "redis ! no data: $(tail -1 server.log)"; exit 1; }

# As perf's settle(): small programs for more than a tenth of a second.
rest() { for i in $(seq 40); do redis ping; done > /dev/null; }

# csv: test, requests a second, average, least, p50, p95, p99, most, in milliseconds.
client() {
	/perf/redis-benchmark -s $socket -t set -n 20000 -r 1000000 -d 1000 -c 4 --csv | tail -1 | tr -d '"' |
		awk -F, -v part="$1" '{ printf "redis.%s-p50 %d\nredis.%s-p99 %d\nredis.%s-max %d\n",
			part, $5 * 1e6, part, $7 * 1e6, part, $8 * 1e6 }'
}
snapshot_end() {
	while [ "$(field persistence rdb_bgsave_in_progress)" = 1 ]; do sleep 0.2; done
	echo "redis.fork $(($(field stats latest_fork_usec) * 1000))"
}
client alone
rest
redis bgsave > /dev/null
client snapshot
snapshot_end
[ "$(field persistence rdb_last_bgsave_status)" = ok ] || echo "redis ! the snapshot failed"
# The call alone, more often: the child is told to give up, which Redis takes for no failure.
for i in 1 2 3 4 5 6; do
	rest
	redis bgsave > /dev/null
	kill -USR1 "$(sed -n 's/.*saving started by pid //p' server.log | tail -1)" 2> /dev/null
	snapshot_end
done
kill $server
wait $server
