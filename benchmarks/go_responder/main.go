// An ARP or NDP responder on the libraries that MetalLB uses, as plain as can be: a floor for `benchmarks.answers`.
//
// Usage: responder arp|ndp INTERFACE ADDRESS
package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

func main() {
	link, err := net.InterfaceByName(os.Args[2])
	check(err)
	address := netip.MustParseAddr(os.Args[3])
	if os.Args[1] == "arp" {
		answerARP(link, address)
	} else {
		answerNDP(link, address)
	}
}

func answerARP(link *net.Interface, address netip.Addr) {
	client, err := arp.Dial(link)
	check(err)
	fmt.Println("ready")
	for {
		request, frame, err := client.Read()
		check(err)
		toUs := bytes.Equal(frame.Destination, ethernet.Broadcast) || bytes.Equal(frame.Destination, link.HardwareAddr)
		if request.Operation == arp.OperationRequest && toUs && request.TargetIP == address {
			check(client.Reply(request, link.HardwareAddr, address))
		}
	}
}

func answerNDP(link *net.Interface, address netip.Addr) {
	conn, _, err := ndp.Listen(link, ndp.LinkLocal)
	check(err)
	group, err := ndp.SolicitedNodeMulticast(address)
	check(err)
	check(conn.JoinGroup(group))
	fmt.Println("ready")
	for {
		message, _, from, err := conn.ReadFrom()
		check(err)
		solicitation, ok := message.(*ndp.NeighborSolicitation)
		if !ok || solicitation.TargetAddress != address {
			continue
		}
		answer := &ndp.NeighborAdvertisement{
			Solicited:     true,
			Override:      true,
			TargetAddress: address,
			Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: link.HardwareAddr}},
		}
		check(conn.WriteTo(answer, nil, from))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
