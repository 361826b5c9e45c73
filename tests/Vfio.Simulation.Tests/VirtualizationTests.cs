using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class VirtualizationTests
{
    private const uint Offline = 7, Assign = 8, Online = 9, PrimaryAllocate = 1, Interrupts = 1 << 8;

    [Fact]
    public async Task The_channel_of_the_PF_tells_of_primary_and_secondary_controllers()
    {
        await using var fixture = await Fixture.CreateAsync();
        var capabilities = await Identify(fixture, Cns.PrimaryCapabilities);
        Assert.Equal(20u, GuestNvme.U32(capabilities, PrimaryCapabilities.Queues + PrimaryCapabilities.FlexibleTotal));
        Assert.Equal(20u, GuestNvme.U32(capabilities, PrimaryCapabilities.Queues + PrimaryCapabilities.FlexibleAssigned));
        Assert.Equal(5, GuestNvme.U16(capabilities, PrimaryCapabilities.Queues + PrimaryCapabilities.PrivateTotal));
        var list = await Identify(fixture, Cns.SecondaryControllers);
        Assert.Equal(4, list[SecondaryList.Count]);
        var third = list.AsSpan(SecondaryList.First + (2 * SecondaryList.EntryBytes));
        Assert.Equal(3, GuestNvme.U16(third, SecondaryList.Scid));
        Assert.Equal(3, GuestNvme.U16(third, SecondaryList.Vfn));
        Assert.Equal(1, third[SecondaryList.Scs]);
        Assert.Equal(5, GuestNvme.U16(third, SecondaryList.Nvq));
        Assert.Equal(5, GuestNvme.U16(third, SecondaryList.Nvi));
    }

    [Fact]
    public async Task Only_a_VF_has_a_controlling_function()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Null(fixture.Topology.ControllerOf(fixture.Pf.Address));
        Assert.Equal(fixture.Pf.Address, fixture.Topology.ControllerOf(fixture.Vf(3).Address)!.Address);
        Assert.Null(fixture.Topology.ControllerOf(fixture.Vf(3).Address)!.Get<IPciFunction>());
    }

    [Fact]
    public async Task The_channel_refuses_buffers_of_the_wrong_size_and_commands_of_a_queue()
    {
        await using var fixture = await Fixture.CreateAsync();
        var channel = Channel(fixture);
        var token = TestContext.Current.CancellationToken;
        var identify = new byte[64];
        identify[0] = (byte)AdminOpcode.Identify;
        identify[40] = (byte)Cns.Controller;
        Assert.Equal(Errno.EINVAL, (await channel.ExecuteAsync(identify.AsMemory(1), new byte[4096], new byte[16], token)).Error);
        Assert.Equal(Errno.EINVAL, (await channel.ExecuteAsync(identify, new byte[4096], new byte[15], token)).Error);
        Assert.Equal(Errno.EINVAL, (await channel.ExecuteAsync(identify, new byte[4095], new byte[16], token)).Error);
        Assert.True((await channel.ExecuteAsync(identify, new byte[4096], new byte[16], token)).IsSuccess);
        var aer = new byte[64];
        aer[0] = (byte)AdminOpcode.AsyncEventRequest;
        var completion = new byte[16];
        Assert.True((await channel.ExecuteAsync(aer, default, completion, token)).IsSuccess);
        Assert.Equal(NvmeStatus.InvalidOpcode.Value, GuestNvme.U16(completion, 14) >> 1);
    }

    [Fact]
    public async Task An_offline_VF_shows_a_fatal_controller_and_comes_back_with_what_it_is_assigned()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(1)).Enable();
        using var neighbour = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.Equal(NvmeStatus.InvalidSecondaryControllerState, (await Manage(fixture, Assign, 2, 3)).Status);
        Assert.Equal(NvmeStatus.Success, (await Manage(fixture, Offline, 2)).Status);
        Assert.Equal(Register.CstsFatal, guest.Csts);
        guest.Bar.Write(Register.Cc, 4, 0x460001);
        Assert.Equal(Register.CstsFatal, guest.Csts);
        Assert.Equal(NvmeStatus.InvalidSecondaryControllerState, (await Manage(fixture, Online, 2)).Status);
        Assert.Equal(NvmeStatus.InvalidControllerResources, (await Manage(fixture, Assign, 2, 6)).Status);
        Assert.Equal(NvmeStatus.InvalidResourceIdentifier, (await Manage(fixture, Assign | (2 << 8), 2, 3)).Status);
        Assert.Equal(3u, (await Manage(fixture, Assign, 2, 3)).Dword0);
        Assert.Equal(2u, (await Manage(fixture, Assign | Interrupts, 2, 2)).Dword0);
        Assert.Equal(NvmeStatus.Success, (await Manage(fixture, Online, 2)).Status);
        Assert.Equal(2, fixture.Vf(1).Interrupts.Count(IrqIndex.Msix));
        guest.SetUp();
        guest.Enable();
        Assert.Equal(0x0001_0001u, guest.Run(guest.Command(AdminOpcode.SetFeatures, cdw10: 7, cdw11: 0x00FE_00FE)).Dword0);
        Assert.Equal(NvmeStatus.Success, neighbour.Run(neighbour.Command(AdminOpcode.GetFeatures, cdw10: 6)).Status);
        Assert.Equal(NvmeStatus.InvalidControllerIdentifier, (await Manage(fixture, Offline, 0)).Status);
        Assert.Equal(NvmeStatus.InvalidControllerIdentifier, (await Manage(fixture, Offline, 9)).Status);
        Assert.Equal(NvmeStatus.InvalidField, (await Manage(fixture, 5, 2)).Status);
    }

    [Fact]
    public async Task What_VFs_give_back_the_primary_controller_gets_at_its_next_reset()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Equal(NvmeStatus.InvalidControllerResources, (await Manage(fixture, PrimaryAllocate, 0, 1)).Status);
        await Manage(fixture, Offline, 4);
        Assert.Equal(2u, (await Manage(fixture, PrimaryAllocate, 0, 2)).Dword0);
        Assert.Equal(0, GuestNvme.U16(await Identify(fixture, Cns.PrimaryCapabilities), PrimaryCapabilities.Queues + PrimaryCapabilities.FlexiblePrimary));
        using var guest = new GuestNvme(fixture.Pf).Enable();
        guest.Enable();
        Assert.Equal(2, GuestNvme.U16(await Identify(fixture, Cns.PrimaryCapabilities), PrimaryCapabilities.Queues + PrimaryCapabilities.FlexiblePrimary));
        Assert.Equal(0x0005_0005u, guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: 7)).Dword0);
    }

    [Fact]
    public async Task A_reset_of_the_PF_takes_its_VFs_away()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        guest.CreateQueue(1).Submit(guest.Command(IoOpcode.Flush, 1));
        Assert.True((await fixture.Pf.ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken)).IsSuccess);
        Assert.Equal(uint.MaxValue, fixture.Vf(0).ReadConfig(0x08, 4));
        Assert.Equal(uint.MaxValue, guest.Csts);
        // The host enables them again: they are there, and offline until somebody provisions them.
        var control = ConfigSpaceTests.Extended(fixture.Pf)[0x10];
        fixture.Pf.WriteConfig(control + 0x10, 2, 4);
        fixture.Pf.WriteConfig(control + 8, 2, 9);
        Assert.Equal(Register.CstsFatal, guest.Csts);
        await Manage(fixture, Assign, 1, 2);
        await Manage(fixture, Assign | Interrupts, 1, 2);
        Assert.Equal(NvmeStatus.Success, (await Manage(fixture, Online, 1)).Status);
        guest.SetUp();
        guest.Enable();
    }

    [Fact]
    public async Task A_controller_reset_of_the_PF_takes_secondary_controllers_offline()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        using var primary = new GuestNvme(fixture.Pf).Enable();
        Assert.Equal(Register.CstsReady, guest.Csts);
        primary.Disable();
        GuestNvme.Until(() => guest.Csts == Register.CstsFatal, "the VF to go offline");
    }

    [Fact]
    public async Task A_VF_without_VF_Enable_cannot_go_online()
    {
        await using var fixture = await Fixture.CreateAsync();
        var control = ConfigSpaceTests.Extended(fixture.Pf)[0x10];
        fixture.Pf.WriteConfig(control + 8, 2, 0);
        GuestNvme.Until(
            () => Identify(fixture, Cns.SecondaryControllers).GetAwaiter().GetResult()[SecondaryList.First + SecondaryList.Scs] == 0, "the VF to go offline");
        await Manage(fixture, Assign, 1, 2);
        await Manage(fixture, Assign | Interrupts, 1, 2);
        Assert.Equal(NvmeStatus.InvalidSecondaryControllerState, (await Manage(fixture, Online, 1)).Status);
    }

    [Fact]
    public async Task The_admin_queue_of_the_PF_manages_VFs_as_the_channel_does()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var primary = new GuestNvme(fixture.Pf).Enable();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.Equal(NvmeStatus.Success, primary.Run(primary.Command(AdminOpcode.VirtualizationManagement, cdw10: Offline | (1 << 16))).Status);
        Assert.Equal(Register.CstsFatal, guest.Csts);
        Assert.Equal(0, primary.Identify(Cns.SecondaryControllers)[SecondaryList.First + SecondaryList.Scs]);
    }

    private static ICommandChannel Channel(Fixture fixture)
        => fixture.Topology.ControllerOf(fixture.Vf(0).Address)!.Get<ICommandChannel>()!;

    private static async Task<byte[]> Identify(Fixture fixture, Cns cns)
    {
        var data = new byte[4096];
        await Execute(fixture, new SubmissionEntry { Opcode = (byte)AdminOpcode.Identify, Cdw10 = (uint)cns }, data);
        return data;
    }

    private static Task<(NvmeStatus Status, uint Dword0)> Manage(Fixture fixture, uint action, uint controller, uint count = 0)
        => Execute(fixture, new() { Opcode = (byte)AdminOpcode.VirtualizationManagement, Cdw10 = action | (controller << 16), Cdw11 = count }, default);

    private static async Task<(NvmeStatus Status, uint Dword0)> Execute(Fixture fixture, SubmissionEntry entry, Memory<byte> data)
    {
        entry.CommandId = 77;
        var command = new byte[64];
        MemoryMarshal.Write(command, entry);
        var completion = new byte[16];
        Assert.True((await Channel(fixture).ExecuteAsync(command, data, completion, TestContext.Current.CancellationToken)).IsSuccess);
        Assert.Equal(77, GuestNvme.U16(completion, 12));
        return (new((ushort)(GuestNvme.U16(completion, 14) >> 1)), GuestNvme.U32(completion, 0));
    }
}
