using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class AdminTests
{
    [Fact]
    public async Task Features_return_what_was_set_their_default_and_their_capabilities()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.Equal(1u, Get(guest, NvmeFeature.VolatileWriteCache).Dword0);
        Assert.Equal(NvmeStatus.Success, Set(guest, NvmeFeature.VolatileWriteCache, 0).Status);
        Assert.Equal(0u, Get(guest, NvmeFeature.VolatileWriteCache).Dword0);
        Assert.Equal(1u, Get(guest, NvmeFeature.VolatileWriteCache, select: 1).Dword0);
        Assert.Equal(4u, Get(guest, NvmeFeature.VolatileWriteCache, select: 3).Dword0);
        Assert.Equal(NvmeStatus.Success, Set(guest, NvmeFeature.InterruptVector, 0x1_0002).Status);
        Assert.Equal(0x1_0002u, Get(guest, NvmeFeature.InterruptVector, dword11: 2).Dword0);
        Assert.Equal(0x1u, Get(guest, NvmeFeature.InterruptVector, dword11: 1).Dword0);
        Assert.Equal(NvmeStatus.InvalidField, Set(guest, NvmeFeature.InterruptVector, 5).Status);
        Assert.Equal(NvmeStatus.InvalidField, Set(guest, NvmeFeature.PowerManagement, 1).Status);
        Assert.Equal(NvmeStatus.InvalidField, Set(guest, (NvmeFeature)0x7E, 1).Status);
        Assert.Equal(NvmeStatus.InvalidField, Get(guest, (NvmeFeature)0x7E).Status);
        Assert.Equal(NvmeStatus.FeatureNotSaveable, guest.Run(guest.Command(AdminOpcode.SetFeatures, cdw10: 0x8000_0006)).Status);
        Assert.Equal(NvmeStatus.FeatureNotNamespaceSpecific, guest.Run(guest.Command(AdminOpcode.SetFeatures, 1, 0x6)).Status);
    }

    [Fact]
    public async Task A_controller_reset_brings_the_defaults_back()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Set(guest, NvmeFeature.VolatileWriteCache, 0);
        guest.Enable();
        Assert.Equal(1u, Get(guest, NvmeFeature.VolatileWriteCache).Dword0);
    }

    [Fact]
    public async Task The_timestamp_goes_on_from_where_it_was_set()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var set = guest.Command(AdminOpcode.SetFeatures, cdw10: (uint)NvmeFeature.Timestamp);
        set.Prp1 = guest.Memory.Allocate(4096);
        guest.Memory.At<ulong>(set.Prp1) = 1_700_000_000_000;
        Assert.Equal(NvmeStatus.Success, guest.Run(set).Status);
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Timestamp), 8, out var data).Status);
        var got = guest.Memory.At<ulong>(data);
        Assert.InRange(got & 0xFFFF_FFFF_FFFF, 1_700_000_000_000ul, 1_700_000_060_000ul);
        Assert.Equal(1ul, got >> 49);
    }

    [Fact]
    public async Task A_temperature_past_its_threshold_is_an_event_once_until_the_log_is_read()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.Equal(0, guest.Log(LogPage.Health, 512)[HealthLog.CriticalWarning]);
        Set(guest, NvmeFeature.AsyncEvents, 2);
        var first = guest.Command(AdminOpcode.AsyncEventRequest);
        var second = guest.Command(AdminOpcode.AsyncEventRequest);
        guest.Admin.Submit(first);
        guest.Admin.Submit(second);
        var set = guest.Command(AdminOpcode.SetFeatures, cdw10: (uint)NvmeFeature.TemperatureThreshold, cdw11: 300);
        guest.Admin.Submit(set);
        var completions = new[] { guest.Admin.Reap(), guest.Admin.Reap() };
        Assert.Equal(0x02_01_01u, Assert.Single(completions, c => c.CommandId == first.CommandId).Dword0);
        Assert.Single(completions, c => c.CommandId == set.CommandId);
        // The type is masked now.
        Set(guest, NvmeFeature.TemperatureThreshold, 301);
        Assert.Null(guest.Admin.TryReap());
        guest.Admin.Submit(guest.Command(AdminOpcode.GetLogPage, uint.MaxValue, (uint)LogPage.Health | (127u << 16)) with { Prp1 = guest.Memory.Allocate(4096) });
        completions = [guest.Admin.Reap(), guest.Admin.Reap()];
        Assert.Single(completions, c => c.CommandId == second.CommandId && c.Dword0 == 0x02_01_01u);
        Assert.Equal(HealthLog.WarningTemperature, guest.Log(LogPage.Health, 512)[HealthLog.CriticalWarning]);
    }

    [Fact]
    public async Task Event_requests_are_limited_and_can_be_aborted()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        ushort last = 0;
        for (var i = 0; i < ControllerLimits.AsyncEventRequests; i++)
        {
            var request = guest.Command(AdminOpcode.AsyncEventRequest);
            last = request.CommandId;
            guest.Admin.Submit(request);
        }

        Assert.Equal(NvmeStatus.AsyncEventLimitExceeded, guest.Run(guest.Command(AdminOpcode.AsyncEventRequest)).Status);
        guest.Admin.Submit(guest.Command(AdminOpcode.Abort, cdw10: (uint)last << 16));
        var completions = new[] { guest.Admin.Reap(), guest.Admin.Reap() };
        Assert.Equal(NvmeStatus.AbortRequested, Assert.Single(completions, c => c.CommandId == last).Status);
        Assert.Equal(0u, Assert.Single(completions, c => c.CommandId != last).Dword0);
        Assert.Equal(1u, guest.Run(guest.Command(AdminOpcode.Abort, cdw10: (uint)last << 16)).Dword0);
    }

    [Fact]
    public async Task The_health_log_counts_what_was_read_and_written()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        for (var i = 0; i < 3; i++)
            Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Read, 1) with { Prp1 = guest.Memory.Allocate(4096) }).Status);
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Write, 1) with { Prp1 = guest.Memory.Allocate(4096) }).Status);
        var log = guest.Log(LogPage.Health, 512);
        Assert.Equal(3ul, GuestNvme.U64(log, HealthLog.ReadCommands));
        Assert.Equal(1ul, GuestNvme.U64(log, HealthLog.WriteCommands));
        Assert.Equal(1ul, GuestNvme.U64(log, HealthLog.UnitsRead));
        Assert.Equal(313, GuestNvme.U16(log, HealthLog.Temperature));
    }

    [Fact]
    public async Task Errors_are_logged_newest_first()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        queue.Run(guest.Command(IoOpcode.Read, 9));
        var last = guest.Command(IoOpcode.Read, 1, uint.MaxValue);
        queue.Run(last);
        var log = guest.Log(LogPage.ErrorInformation, 128);
        Assert.Equal(2ul, GuestNvme.U64(log, ErrorEntry.ErrorCount));
        Assert.Equal(last.CommandId, GuestNvme.U16(log, ErrorEntry.CommandId));
        Assert.Equal(NvmeStatus.LbaOutOfRange.Value << 1, GuestNvme.U16(log, ErrorEntry.StatusField));
        Assert.Equal(1ul, GuestNvme.U64(log, 64 + ErrorEntry.ErrorCount));
        Assert.Equal(9u, GuestNvme.U32(log, 64 + ErrorEntry.NamespaceId));
    }

    [Theory]
    [InlineData(0x7Fu, 0u, 0x109)]
    [InlineData(0x02u, 2u, 0x002)]
    [InlineData(0x02u, 1024u, 0x002)]
    public async Task A_log_page_that_there_is_not_is_refused(uint page, uint offset, int status)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var entry = guest.Command(AdminOpcode.GetLogPage, uint.MaxValue, page | (127u << 16), cdw12: offset);
        Assert.Equal(status, guest.Run(entry, 512, out _).Status.Value & 0x7FF);
    }

    [Fact]
    public async Task The_firmware_log_names_the_running_revision()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var log = guest.Log(LogPage.FirmwareSlot, 512);
        Assert.Equal(1, log[FirmwareLog.ActiveSlot]);
        Assert.Equal("1.0     ", System.Text.Encoding.ASCII.GetString(log, FirmwareLog.Slot1, 8));
    }

    [Fact]
    public async Task A_changed_namespace_is_an_event_and_listed_until_it_has_been_read()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Set(guest, NvmeFeature.AsyncEvents, 0x100);
        guest.Admin.Submit(guest.Command(AdminOpcode.AsyncEventRequest));
        var subsystem = ((Nvme.NvmeModel)fixture.Topology.Models[0]).Nvme;
        await subsystem.AttachAsync(subsystem.Namespace(3)!, subsystem.Controllers[1]);
        Assert.Equal(0x04_00_02u, guest.Admin.Reap().Dword0);
        Assert.Equal(3u, GuestNvme.U32(guest.Log(LogPage.ChangedNamespaces, 4096), 0));
        Assert.Equal(0u, GuestNvme.U32(guest.Log(LogPage.ChangedNamespaces, 4096), 0));
        Assert.Equal(3u, GuestNvme.U32(guest.Identify(Cns.ActiveNamespaces), 4));
    }

    private static Completion Set(GuestNvme guest, NvmeFeature feature, uint value)
        => guest.Run(guest.Command(AdminOpcode.SetFeatures, cdw10: (uint)feature, cdw11: value));

    private static Completion Get(GuestNvme guest, NvmeFeature feature, uint select = 0, uint dword11 = 0)
        => guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)feature | (select << 8), cdw11: dword11));
}
