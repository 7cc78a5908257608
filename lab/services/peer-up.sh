# The release of glance_store that ours is compared with, in an environment of its own; sourced by up.sh.
tell MULTISTORE_LAB_PEER "$(sh "$LAB_DIR/peer/environment.sh")"
