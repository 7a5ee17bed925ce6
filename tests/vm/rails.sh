# SPDX-License-Identifier: Apache-2.0
# The guest's network and its rxe devices; sourced, with the job's settings and a function must that
# runs a command or gives the guest up.

# One guest talks to itself over a dummy interface (rdma_cm does not work on 127.0.0.1); two talk
# over the emulated wire. An MTU of 4200 lets an RDMA MTU of 4096 fit in.
set_up_rail() {
    local rail=$1 device=eth$1 making=''
    if [ "$guests" = 1 ]; then device=d$rail making="link add d$rail type dummy"; fi
    # In one go: an emulated processor takes a sixth of a second for each program.
    must ip -batch - <<END
$making
link set $device mtu 4200 up
address add 10.77.$rail.$host/24 dev $device
address add fd77:$((rail + 1))::$host/64 dev $device nodad
END
    # The first one loads the modules.
    if [ -d /sys/module/rdma_rxe ]; then
        must rdma link add "rxe$rail" type rxe netdev "$device"
    else
        must "$tree/scripts/softroce" up "$device"
    fi
}

set_up_rails() {
    local rail
    must ip link set lo up
    if [ "$guests" = 1 ]; then must modprobe dummy; else must modprobe virtio_net; fi
    for ((rail = 0; rail < rails; rail++)); do set_up_rail "$rail"; done
}

# What shows that something was done to them: an interface that was down has lost its IPv6 address.
rails_state() {
    rdma link show
    ip -o address show
    tc qdisc show dev lo
}

# Of one guest, when nobody uses them: whatever was done to them, they are as at the start.
renew_rails() {
    local device
    for device in $(rdma link show | sed -n 's|^link \([^/]*\)/.*|\1|p'); do must rdma link delete "$device"; done
    for device in $(ip -o link show type dummy | sed -n 's|^[0-9]*: \([^:@]*\)[:@].*|\1|p'); do must ip link delete "$device"; done
    tc qdisc del dev lo root 2>/dev/null
    set_up_rails
}
