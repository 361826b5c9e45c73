# remove the cache and the logs of all runs

command_clean() {
    lock_building root
    lock_building kernel
    lock exclusive
    rm -rf --one-file-system "$CACHE"/{root-*,images,debs,kernel-*} "$CACHE"/*.log "$REPOSITORY/artifacts/lab"
    progress "removed what $CACHE and artifacts/lab held"
}
