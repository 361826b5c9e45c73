# What the lab needs on the host, installed only where it is missing.

# host_packages [PACKAGE...]: those that every command needs, or the given ones.
host_packages() {
    local package missing=()
    (($#)) || set -- "${HOST_PACKAGES[@]}"
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    progress "installing on this host: ${missing[*]}"
    # The lists may be absent (a fresh container) or old: update only once it has failed.
    apt_install "${missing[@]}" >"$CACHE/host.log" 2>&1 ||
        { apt-get -q update && apt_install "${missing[@]}"; } >"$CACHE/host.log" 2>&1 ||
        { tails "$CACHE/host.log"; die "cannot install ${missing[*]} on this host"; }
}

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"; }

# The mirror that apt on this host already uses: it is the one that is reachable.
debian_mirror() {
    local uri
    if [[ -n ${VFIO_LAB_MIRROR:-} ]]; then
        echo "$VFIO_LAB_MIRROR"
        return
    fi
    uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -v '^#' | grep -oE 'https?://[^] ]+/debian/?( |$)' | head -n 1 | tr -d ' ') || true
    echo "${uri:-http://deb.debian.org/debian}"
}
