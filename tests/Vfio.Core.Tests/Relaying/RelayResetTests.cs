using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Relaying;

/// <summary>A variant over a relay is told of resets from every cause.</summary>
public sealed class RelayResetTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<ResetCause, int, byte[]> FlrWrites => new()
    {
        // Device Control is at 8 of the PCI Express capability at 40h, its bit 15 in the upper byte; AF Control at 4 of the one at 74h.
        { ResetCause.PcieFlr, 0x48, [0x00, 0x80] },
        { ResetCause.PcieFlr, 0x49, [0x80] },
        { ResetCause.PcieFlr, 0x48, [0x30, 0xA0, 0x00, 0x00] },
        { ResetCause.PcieFlr, 0x44, [0, 0, 0, 0, 0x30, 0xA0, 0, 0] },
        { ResetCause.AfFlr, 0x78, [0x01] },
        { ResetCause.AfFlr, 0x78, [0x01, 0x00] },
        { ResetCause.AfFlr, 0x76, [0x00, 0x00, 0x01] },
    };

    [Theory]
    [MemberData(nameof(FlrWrites))]
    public async Task A_guests_FLR_is_announced_before_and_after_it_goes_down(ResetCause cause, int offset, byte[] bytes)
    {
        var function = Function();
        var relay = await RelayDevice.Open(function);
        function.Log.Clear();
        relay.OnPrepare = _ => Assert.Empty(function.Log);
        relay.OnDone = _ => Assert.Equal(["reset Flr"], function.Log);
        var raised = new List<ResetCause>();
        relay.WasReset += raised.Add;

        Assert.Equal(bytes.Length, relay.Write(RegionIndex.Config, (ulong)offset, bytes).Value);
        Assert.Equal([$"prepare {cause}", $"done {cause}"], relay.Hooks);
        Assert.Equal([cause], raised);
        Assert.Equal(["reset Flr"], function.Log);
        relay.OnPrepare = relay.OnDone = null;
        await relay.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(8)]
    public async Task Only_the_byte_of_the_FLR_bit_counts_wherever_a_write_begins(int width)
    {
        const int DeviceControlHigh = 0x49, AfControl = 0x78;
        for (var offset = 0x40; offset < 0x80; offset++)
        {
            for (var at = 0; at < width; at++)
            {
                var relay = await RelayDevice.Open(Function());
                var bytes = new byte[width];
                bytes[at] = 0x81;
                relay.Write(RegionIndex.Config, (ulong)offset, bytes);
                string[] expected = (offset + at) switch
                {
                    DeviceControlHigh => [$"prepare {ResetCause.PcieFlr}", $"done {ResetCause.PcieFlr}"],
                    AfControl => [$"prepare {ResetCause.AfFlr}", $"done {ResetCause.AfFlr}"],
                    _ => [],
                };
                Assert.Equal((offset, at, string.Join(' ', expected)), (offset, at, string.Join(' ', relay.Hooks)));
                await relay.CloseAsync(ResetCause.Close);
            }
        }
    }

    [Theory]
    [InlineData(0x48, new byte[] { 0x00, 0x20 })]
    [InlineData(0x4A, new byte[] { 0x00, 0x80 })]
    [InlineData(0x79, new byte[] { 0x01 })]
    [InlineData(0x40, new byte[] { 0x00, 0x80, 0x01, 0x01, 0x80 })]
    public async Task A_write_that_sets_no_FLR_bit_is_announced_to_nobody(int offset, byte[] bytes)
    {
        var relay = await RelayDevice.Open(Function());

        relay.Write(RegionIndex.Config, (ulong)offset, bytes);
        relay.Write(0, 0x48, [0x00, 0x80]);
        Assert.Empty(relay.Hooks);
        await relay.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task The_bit_of_a_function_without_FLR_resets_nothing()
    {
        var hardware = new Hardware();
        hardware.Express(flr: false);
        var relay = await RelayDevice.Open(new(hardware.Bytes));

        relay.Write(RegionIndex.Config, 0x48, [0x00, 0x80]);
        Assert.Empty(relay.Hooks);
        await relay.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(0x40)]
    [InlineData(0xFC)]
    [InlineData(0x3F)]
    public async Task A_chain_that_leads_nowhere_is_walked_to_an_end(byte first)
    {
        var config = new byte[4096];
        config[6] = 0x10;
        config[0x34] = first;
        config[0x40] = config[0xFC] = 0x10;
        config[0x41] = 0x40;
        config[0xFD] = 0xFC;
        var relay = new RelayDevice(VfioPciCores.Over(new RelayedFunction(new BelowDevice { Config = config }, default, default)));

        Assert.True((await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        await relay.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task Open_reset_and_close_are_announced_with_their_cause()
    {
        var relay = RelayDevice.Closed(Function());
        Assert.True((await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        Assert.True((await relay.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        await relay.CloseAsync(ResetCause.ClientLost);

        Assert.Equal(
            ["prepare Open", "done Open", "prepare DeviceReset", "done DeviceReset", "prepare ClientLost", "done ClientLost"], relay.Hooks);
    }

    [Fact]
    public async Task A_device_that_cannot_be_reset_says_so_and_no_variant_is_told()
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { ResetMethods = [] };
        var relay = await RelayDevice.Open(function);

        Assert.False(relay.Info.Flags.HasFlag(DeviceFlags.Reset));
        Assert.Equal(Errno.EINVAL, (await relay.ResetAsync(ResetCause.DeviceReset, Cancellation)).Error);
        Assert.Empty(relay.Hooks);
        await relay.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_hot_reset_is_announced_where_it_can_be()
    {
        var slot = new ScriptedSlot();
        var relay = await RelayDevice.Open(slot.Add(0));
        Assert.True((await relay.HotResetAsync(Cancellation)).IsSuccess);
        Assert.Equal(["prepare HotReset", "done HotReset"], relay.Hooks);
        Assert.Equal(1, slot.Resets);

        slot.Add(1);
        relay.Forget();
        Assert.Equal(Errno.EINVAL, (await relay.HotResetAsync(Cancellation)).Error);
        Assert.Empty(relay.Hooks);
        await relay.CloseAsync(ResetCause.Close);

        var alone = await RelayDevice.Open(Function());
        Assert.Equal(Errno.ENODEV, (await alone.HotResetAsync(Cancellation)).Error);
        Assert.Empty(alone.Hooks);
        await alone.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_reset_that_the_device_below_made_by_itself_is_told_once_it_has_happened()
    {
        var below = new BelowDevice();
        var relay = new RelayDevice(VfioPciCores.Over(new RelayedFunction(below, default, default)));
        Assert.True((await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        relay.Forget();
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        relay.OnDone = _ => told.TrySetResult();

        below.ResetBySelf(ResetCause.HotReset);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(["prepare HotReset", "done HotReset"], relay.Hooks);
        await relay.CloseAsync(ResetCause.Close);
        relay.Forget();
        below.ResetBySelf(ResetCause.HotReset);
        Assert.Empty(relay.Hooks);
    }

    [Fact]
    public async Task A_function_that_loses_its_state_asleep_is_told_of_when_it_wakes()
    {
        var hardware = new Hardware();
        var control = (ulong)hardware.PowerManagement() + 4;
        var relay = await RelayDevice.Open(new(hardware.Bytes));
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        relay.OnDone = _ => told.TrySetResult();

        relay.Write(RegionIndex.Config, control, [3, 0]);
        relay.Write(RegionIndex.Config, control, [0, 0]);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(["prepare PowerState", "done PowerState"], relay.Hooks);
        await relay.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_hook_has_the_device_for_itself()
    {
        var function = Function();
        var relay = await RelayDevice.Open(function);
        Task<VfioResult<int>>? other = null;
        relay.OnDone = _ =>
        {
            other ??= Task.Run(() => relay.Read(0, 0, new byte[4]));
            Assert.Equal(4, relay.Read(0, 0, new byte[4]).Value);
            Assert.Equal(4, relay.Write(0, 4, new byte[4]).Value);
            Assert.False(other.IsCompleted);
        };

        Assert.Equal(2, relay.Write(RegionIndex.Config, 0x48, [0x00, 0x80]).Value);
        Assert.Equal(4, (await other!.WaitAsync(TimeSpan.FromSeconds(30), Cancellation)).Value);
        relay.OnDone = null;
        await relay.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task A_hook_that_throws_at_close_does_not_leave_the_device_below_open()
    {
        var below = new BelowDevice();
        var relay = new RelayDevice(VfioPciCores.Over(new RelayedFunction(below, default, default)));
        Assert.True((await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        relay.OnPrepare = _ => throw new InvalidOperationException("prepare");

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await relay.CloseAsync(ResetCause.Close));
        Assert.Equal(["close Close"], below.Calls);
    }

    [Fact]
    public async Task A_hook_that_throws_at_open_does_not_leave_the_device_below_open()
    {
        var below = new BelowDevice();
        var relay = new RelayDevice(VfioPciCores.Over(new RelayedFunction(below, default, default)))
        {
            OnDone = _ => throw new InvalidOperationException("done"),
        };

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await relay.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation));
        Assert.Equal(["close Close"], below.Calls);
    }

    private static ScriptedFunction Function()
    {
        var hardware = new Hardware();
        Assert.Equal(0x40, hardware.Express());
        Assert.Equal(0x74, hardware.Standard(0x13, 6, (2, 1, 6), (3, 1, 3)));
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        return function;
    }
}
