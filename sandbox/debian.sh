# shellcheck shell=bash
# Where Debian packages come from, for the scripts that fetch some without installing them. Sourced; prints and returns.

# The sites that this machine gets its Debian from; which of them has other releases, too, is found by trying.
debian_mirrors() {
  # shellcheck disable=SC2016,SC1091 # apt's placeholders, not the shell's; os-release is this machine's
  apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v codename="$(. /etc/os-release && echo "$VERSION_CODENAME")" \
      '$3 == "main" && ($2 == codename || $2 ~ /^(old)*stable$/) && !seen[$1]++ { print $1 }'
}

keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [ ! -e "$file" ] || { printf '%s' "$file"; return 0; }
  done
  echo 'the keyring of the Debian archive is missing (package debian-archive-keyring).' >&2
  return 1
}
