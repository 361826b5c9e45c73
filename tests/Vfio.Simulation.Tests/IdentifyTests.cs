using System.Text;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class IdentifyTests
{
    [Fact]
    public async Task The_controller_says_what_a_driver_needs_to_know()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(1)).Enable();
        var page = guest.Identify(Cns.Controller);
        Assert.Equal(2, GuestNvme.U16(page, IdentifyController.Cntlid));
        Assert.Equal(0x10400u, GuestNvme.U32(page, IdentifyController.Ver));
        Assert.Equal(0x66, page[IdentifyController.Sqes]);
        Assert.Equal(0x44, page[IdentifyController.Cqes]);
        Assert.Equal(4u, GuestNvme.U32(page, IdentifyController.Nn));
        Assert.Equal(IdentifyController.OacsDoorbellBufferConfig, GuestNvme.U16(page, IdentifyController.Oacs));
        Assert.StartsWith("VFIO-SIM-0001  ", Encoding.ASCII.GetString(page, IdentifyController.SerialNumber, 20), StringComparison.Ordinal);
        Assert.StartsWith("nqn.", Encoding.ASCII.GetString(page, IdentifyController.Subnqn, 4), StringComparison.Ordinal);
        Assert.Equal(1, page[IdentifyController.Cntrltype]);
    }

    [Fact]
    public async Task Only_attached_namespaces_are_active()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(1)).Enable();
        var list = guest.Identify(Cns.ActiveNamespaces);
        Assert.Equal((2u, 0u), (GuestNvme.U32(list, 0), GuestNvme.U32(list, 4)));
        Assert.Equal(0u, GuestNvme.U32(guest.Identify(Cns.ActiveNamespaces, 2), 0));
        var mine = guest.Identify(Cns.Namespace, 2);
        Assert.Equal((64ul << 20) / 512, GuestNvme.U64(mine, IdentifyNamespace.Nsze));
        Assert.Equal(9, mine[IdentifyNamespace.Lbaf0 + IdentifyNamespace.LbafDataSize]);
        Assert.All(guest.Identify(Cns.Namespace, 1), b => Assert.Equal(0, b));
        var beyond = guest.Command(AdminOpcode.Identify, 5, (uint)Cns.Namespace);
        Assert.Equal(NvmeStatus.InvalidNamespace, guest.Run(beyond, 4096, out _).Status);
    }

    [Fact]
    public async Task A_namespace_has_an_NGUID_and_a_UUID_that_do_not_change()
    {
        byte[]? first = null;
        for (var i = 0; i < 2; i++)
        {
            await using var fixture = await Fixture.CreateAsync();
            using var guest = new GuestNvme(fixture.Vf(0)).Enable();
            var page = guest.Identify(Cns.NamespaceDescriptors, 1);
            Assert.Equal((NamespaceDescriptor.TypeNguid, 16), (page[0], page[1]));
            Assert.Equal((NamespaceDescriptor.TypeUuid, 16), (page[20], page[21]));
            first ??= page;
            Assert.Equal(first, page);
        }
    }

    [Theory]
    [InlineData(0x04)]
    [InlineData(0x09)]
    [InlineData(0x14)]
    [InlineData(0x15)]
    [InlineData(0x20)]
    [InlineData(0xFF)]
    public async Task An_unknown_structure_is_an_invalid_field_not_to_be_retried(byte cns)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var status = guest.Run(guest.Command(AdminOpcode.Identify, 1, cns), 4096, out _).Status;
        Assert.Equal((0, 2, true), (status.CodeType, status.Code, status.DoNotRetry));
    }

    [Fact]
    public async Task The_controllers_of_the_subsystem_are_listed_with_those_of_a_namespace()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var all = guest.Identify(Cns.Controllers);
        Assert.Equal(5, GuestNvme.U16(all, 0));
        Assert.Equal(4, GuestNvme.U16(all, 10));
        Assert.Equal(2, GuestNvme.U16(guest.Identify(Cns.Controllers, cntid: 3), 0));
        var attached = guest.Identify(Cns.AttachedControllers, 3);
        Assert.Equal((1, 3), (GuestNvme.U16(attached, 0), GuestNvme.U16(attached, 2)));
    }

    [Fact]
    public async Task Unknown_opcodes_are_refused_not_to_be_retried()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.Equal(NvmeStatus.InvalidOpcode, guest.Run(guest.Command((AdminOpcode)0xC4)).Status);
        Assert.Equal(NvmeStatus.InvalidOpcode, guest.Run(guest.Command(AdminOpcode.VirtualizationManagement)).Status);
        var queue = guest.CreateQueue(1);
        Assert.Equal(NvmeStatus.InvalidOpcode, queue.Run(guest.Command((IoOpcode)0x7F, 1)).Status);
        Assert.True(NvmeStatus.InvalidOpcode.DoNotRetry);
        var effects = guest.Log(LogPage.CommandsSupported, 4096);
        Assert.Equal(1u, GuestNvme.U32(effects, (int)AdminOpcode.Identify * 4));
        Assert.Equal(0u, GuestNvme.U32(effects, 0xC4 * 4));
        Assert.Equal(3u, GuestNvme.U32(effects, EffectsLog.Io + ((int)IoOpcode.Write * 4)));
    }
}
