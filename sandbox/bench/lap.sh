# For the scripts by hand, to be sourced: the environment that restic has in a run, and `lap WHAT`, which prints the
# microseconds since the lap before.
export RESTIC_FEATURES=device-id-for-hardlinks=true RESTIC_PROGRESS_FPS=0.5 TZ=UTC

last=${EPOCHREALTIME/./}
lap() {
  local now=${EPOCHREALTIME/./}
  printf '%s\t%d\n' "$1" $((now - last))
  last=$now
}
