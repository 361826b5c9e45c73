# remove the cache and the logs of all runs

command_clean() {
    lock_kernel
    lock exclusive
    rm -rf --one-file-system "$CACHE"/{root-*,kernel-*,images,debs} "$CACHE"/*.log "$REPOSITORY/artifacts/lab"
    progress "removed what $CACHE and artifacts/lab held"
}
