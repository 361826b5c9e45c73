using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Reset;

public sealed class LowPowerTests : IDisposable
{
    private const uint D3Hot = 3, NoSoftReset = 8;
    private readonly SafeFileHandle _client = EventFd.Create();
    private readonly Hardware _hardware = new();
    private readonly int _pm;

    public LowPowerTests()
    {
        _hardware.Express();
        _pm = _hardware.PowerManagement(NoSoftReset) + 4;
    }

    public void Dispose() => _client.Dispose();

    [Theory]
    [Trait("Trap", "35")]
    [MemberData(nameof(LowPowerRequests.All), MemberType = typeof(LowPowerRequests))]
    public async Task It_sleeps_in_D3hot_until_anything_is_asked_of_it(string request)
    {
        var function = Function();
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(0, LowPowerRequests.Enter(device));
        Assert.Equal(D3Hot, PowerState(function));
        LowPowerRequests.Ask(device, request);
        Assert.Equal(0u, PowerState(function));
        // It stays engaged, and awake.
        Assert.Equal(-(int)Errno.EINVAL, LowPowerRequests.Enter(device));
        Assert.Equal(0u, PowerState(function));
        Assert.Equal(0, LowPowerRequests.Exit(device));
        Assert.Equal(0, LowPowerRequests.Enter(device));
        Assert.Equal(D3Hot, PowerState(function));
    }

    [Fact]
    [Trait("Trap", "35")]
    public async Task Waking_signals_the_eventfd_and_ends_low_power()
    {
        var function = Function();
        await using var device = await OpenDevice.Open(function);
        var given = Requests.Duplicate(_client);

        Assert.Equal(0, LowPowerRequests.Enter(device, given));
        Assert.False(given.IsClosed);
        given.Dispose();
        Assert.Equal(0ul, EventFd.Consume(_client));
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(1ul, EventFd.Consume(_client));
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(0ul, EventFd.Consume(_client));

        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
        Assert.Equal(0, LowPowerRequests.Exit(device));
        Assert.Equal(1ul, EventFd.Consume(_client));
        Assert.Equal(0, LowPowerRequests.Exit(device));
        Assert.Equal(0ul, EventFd.Consume(_client));
    }

    [Fact]
    public async Task An_eventfd_that_cannot_be_signalled_is_refused_before_anything_else()
    {
        await using var device = await OpenDevice.Open(Function());
        using var file = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);
        using var closed = EventFd.Create();
        closed.Dispose();

        Assert.Equal(0, LowPowerRequests.Enter(device));
        byte[] negative = [255, 255, 255, 255, 0, 0, 0, 0];
        Assert.Equal(-(int)Errno.EINVAL, LowPowerRequests.Feature(device, FeatureId.LowPowerEntryWithWakeup, _client, negative));
        Assert.Equal(-(int)Errno.EBADF, LowPowerRequests.Feature(device, FeatureId.LowPowerEntryWithWakeup, null, new byte[8]));
        Assert.Equal(-(int)Errno.EBADF, LowPowerRequests.Enter(device, closed));
        Assert.Equal(-(int)Errno.EINVAL, LowPowerRequests.Enter(device, file));
        Assert.Equal(-(int)Errno.EINVAL, LowPowerRequests.Enter(device, _client));
        Assert.Equal(0, LowPowerRequests.Exit(device));
        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
    }

    [Fact]
    public async Task INTx_is_silent_while_it_sleeps_and_fires_when_it_wakes()
    {
        var function = Function();
        await using var device = await OpenDevice.Open(function);
        Assert.Equal(0, device.Trigger(IrqIndex.Intx, 0, Requests.Duplicate(_client)));

        Assert.Equal(0, LowPowerRequests.Enter(device));
        function.Lines.SetAsserted(true);
        Assert.Equal(0ul, EventFd.Consume(_client));
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(1ul, EventFd.Consume(_client));

        // What the client has masked itself stays masked.
        function.Lines.SetAsserted(false);
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionUnmask));
        Assert.Equal(0, device.None(IrqIndex.Intx, IrqSetFlags.ActionMask));
        Assert.Equal(0, LowPowerRequests.Exit(device));
        Assert.Equal(0, LowPowerRequests.Enter(device));
        function.Lines.SetAsserted(true);
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(0ul, EventFd.Consume(_client));
    }

    [Fact]
    public async Task A_function_without_power_management_does_not_sleep_and_its_client_is_told_of_the_next_access_all_the_same()
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { Bars = { [0] = new(0x1000) } };
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
        Assert.Empty(function.Writes);
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(1ul, EventFd.Consume(_client));
        Assert.Empty(function.Writes);
    }

    [Fact]
    public async Task A_PF_stays_awake_for_its_VFs()
    {
        var at = _hardware.Extended(0x10, 0x40, (8, 2, 1));
        var function = Function();
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
        Assert.Equal(0u, PowerState(function));
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(0ul, EventFd.Consume(_client));
        Assert.Equal(-(int)Errno.EINVAL, LowPowerRequests.Enter(device));
        function.WriteConfig(at + 8, 2, 0);
        Assert.Equal(0, LowPowerRequests.Exit(device));
        Assert.Equal(0, LowPowerRequests.Enter(device));
        Assert.Equal(D3Hot, PowerState(function));
    }

    [Fact]
    [Trait("Trap", "35")]
    public async Task What_a_function_loses_in_D3hot_it_has_back_also_where_its_guest_had_sent_it_there_before()
    {
        const int CacheLine = 0x0C;
        _hardware.Set16(_pm, 0);
        var function = Function();
        await using var device = await OpenDevice.Open(function);
        device.WriteConfig(CacheLine, 1, 0x10);
        LoseStateInD3Hot(function, CacheLine);

        device.WriteConfig(_pm, 2, D3Hot);
        Assert.Equal(0, LowPowerRequests.Enter(device));
        Assert.Equal(["prepare PowerState", "done PowerState"], device.Hooks);
        Assert.Equal(0x10u, device.ReadConfig(CacheLine, 1));
        Assert.Equal(["prepare PowerState", "done PowerState", "prepare PowerState", "done PowerState"], device.Hooks);
        Assert.Equal(0u, device.ReadConfig(_pm, 2) & D3Hot);
        Assert.Equal(0, LowPowerRequests.Read(device));
    }

    [Fact]
    public async Task A_reset_wakes_it_first()
    {
        _hardware.Set16(_pm, 0);
        var function = Function();
        await using var device = await OpenDevice.Open(function);
        function.OnReset = (_, _) =>
        {
            Assert.Equal(0u, PowerState(function));
            return ValueTask.FromResult(VfioResult.Success);
        };

        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken)).IsSuccess);
        Assert.Equal(["prepare PowerState", "done PowerState", "prepare DeviceReset", "done DeviceReset"], device.Hooks);
        Assert.Equal(1ul, EventFd.Consume(_client));
    }

    [Fact]
    public async Task Closing_wakes_it_and_tells_nobody()
    {
        var function = Function();
        var device = await OpenDevice.Open(function);
        Assert.Equal(0, LowPowerRequests.Enter(device, _client));
        Assert.Equal(D3Hot, PowerState(function));

        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal(0u, PowerState(function));
        Assert.Equal(0ul, EventFd.Consume(_client));
        await using var again = await OpenDevice.Open(function);
        Assert.Equal(0, LowPowerRequests.Enter(again));
    }

    [Fact]
    [Trait("Trap", "35")]
    public async Task A_signalled_ioeventfd_does_not_wake_it_and_its_write_is_dropped()
    {
        var function = Function();
        using var written = new SemaphoreSlim(0);
        function.Bars[0].OnAccess = (_, _) => written.Release();
        await using var device = await OpenDevice.Open(function);
        Assert.True(device.SetIoEventFd(0, 0, 4, 1, _client).IsSuccess);

        Assert.Equal(0, LowPowerRequests.Enter(device));
        EventFd.Signal(_client);
        while (EventFd.Consume(_client) != 0)
            EventFd.Signal(_client);
        Assert.Equal(D3Hot, PowerState(function));
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(1, written.CurrentCount);
        EventFd.Signal(_client);
        Assert.True(await written.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
    }

    [Fact]
    [Trait("Trap", "35")]
    public async Task No_access_ever_meets_a_sleeping_function()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var function = Function();
        function.Notes = false;
        function.Bars[0].Notes = false;
        function.Bars[0].OnAccess = (_, _) => Assert.Equal(0u, PowerState(function));
        await using var device = await OpenDevice.Open(function);
        var entered = 0;
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
                Assert.Equal(0, LowPowerRequests.Read(device));
        }, cancellation)).ToArray();

        for (var i = 0; i < 300; i++)
        {
            if (LowPowerRequests.Enter(device, _client) == 0)
                entered++;
            LowPowerRequests.Exit(device);
        }

        await done.CancelAsync();
        await Task.WhenAll(readers).WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        Assert.Equal(300, entered);
        // Each was woken once: by a reader, or by its exit.
        Assert.Equal(300ul, EventFd.Consume(_client));
    }

    private ScriptedFunction Function() => new(_hardware.Bytes) { Bars = { [0] = new(0x1000) } };

    private uint PowerState(ScriptedFunction function) => function.ConfigBytes[_pm] & 3u;

    private void LoseStateInD3Hot(ScriptedFunction function, int register)
    {
        var before = 0u;
        function.OnConfigWrite = (offset, _, value) =>
        {
            if (offset != _pm)
                return;
            if (before == D3Hot && (value & D3Hot) == 0)
                function.ConfigBytes[register] = 0;
            before = value & D3Hot;
        };
    }
}
