using Vfio.Core.Tests.Reset;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Sets;

/// <summary>Low power of a function whose slot or bus is reset.</summary>
public sealed class SleepingSetTests
{
    [Fact]
    public async Task A_function_that_sleeps_is_woken_before_its_bus_is_reset()
    {
        var slot = new ScriptedSlot();
        var hardware = new Hardware();
        var state = hardware.PowerManagement(8) + 4;
        var (first, second) = (slot.Add(0), slot.Add(1, config: hardware.Bytes));
        var (process, memory) = (new VfioPciCoreOptions(), new DmaSpace());
        await using var device = await OpenDevice.Open(first, memory, process);
        await using var sleeper = await OpenDevice.Open(second, memory, process);
        using var woken = EventFd.Create();
        Assert.Equal(0, LowPowerRequests.Enter(sleeper, woken));
        Assert.Equal(3, second.ConfigBytes[state] & 3);

        Assert.Equal(Errno.None, (await device.HotResetAsync(TestContext.Current.CancellationToken)).Error);
        Assert.Equal(1, slot.Resets);
        Assert.Equal(0, second.ConfigBytes[state] & 3);
        Assert.Equal(1ul, EventFd.Consume(woken));
        Assert.Equal(0, LowPowerRequests.Read(sleeper));
    }

    [Fact]
    public async Task A_hook_that_is_told_of_waking_may_look_at_another_function_of_the_set()
    {
        var (device, sleeper, _) = await OpenTwo(losesState: true);
        sleeper.OnPrepare = _ => Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
        device.OnPrepare = _ => Assert.Equal(4, sleeper.Read(0, 0, new byte[4]).Value);
        Assert.Equal(0, LowPowerRequests.Enter(sleeper));

        var reset = Task.Run(() => device.HotResetAsync(Cancellation).AsTask(), Cancellation);
        Assert.True((await reset.WaitAsync(TimeSpan.FromSeconds(30), Cancellation)).IsSuccess);
        Assert.Equal(["prepare PowerState", "done PowerState", "prepare HotReset", "done HotReset"], sleeper.Hooks);
        sleeper.OnPrepare = device.OnPrepare = null;
        await device.CloseAsync(ResetCause.Close);
        await sleeper.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task One_that_cannot_be_woken_is_not_the_callers_fault_and_nothing_is_reset()
    {
        var (device, sleeper, slot) = await OpenTwo(losesState: true);
        using var woken = EventFd.Create();
        Assert.Equal(0, LowPowerRequests.Enter(sleeper, woken));
        sleeper.OnDone = _ => throw new InvalidOperationException("scripted");

        Assert.Equal(Errno.EIO, (await device.HotResetAsync(Cancellation)).Error);
        Assert.Equal(0, slot.Resets);
        Assert.Equal(1ul, EventFd.Consume(woken));
        sleeper.OnDone = null;
        Assert.Equal(0, LowPowerRequests.Read(device));
        Assert.Equal(0, LowPowerRequests.Read(sleeper));
        await device.CloseAsync(ResetCause.Close);
        await sleeper.CloseAsync(ResetCause.Close);
    }

    [Fact]
    public async Task One_that_sleeps_goes_on_sleeping_where_the_reset_does_not_come_to_it()
    {
        var (device, sleeper, slot) = await OpenTwo(losesState: false);
        var state = new Hardware().PowerManagement() + 4;
        var function = (ScriptedFunction)sleeper.Core.Function;
        Assert.Equal(0, LowPowerRequests.Enter(sleeper));
        // The caller's own function is in D3hot, and its hook fails before the other's turn has come.
        device.WriteConfig(state, 2, 3);
        device.OnPrepare = _ => throw new InvalidOperationException("scripted");

        await Assert.ThrowsAsync<InvalidOperationException>(() => device.HotResetAsync(Cancellation).AsTask());
        Assert.Equal(0, slot.Resets);
        Assert.Equal(3, function.ConfigBytes[state] & 3);
        Assert.Equal(0, LowPowerRequests.Read(sleeper));
        Assert.Equal(0, function.ConfigBytes[state] & 3);
        device.OnPrepare = null;
        await device.CloseAsync(ResetCause.Close);
        await sleeper.CloseAsync(ResetCause.Close);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // The first always loses its state in D3hot.
    private static async Task<(OpenDevice First, OpenDevice Second, ScriptedSlot Slot)> OpenTwo(bool losesState)
    {
        var slot = new ScriptedSlot();
        Hardware loses = new(), second = new();
        loses.PowerManagement();
        second.PowerManagement(losesState ? 0u : 8);
        var (process, memory) = (new VfioPciCoreOptions(), new DmaSpace());
        var (one, two) = (slot.Add(0, config: loses.Bytes), slot.Add(1, config: second.Bytes));
        return (await OpenDevice.Open(one, memory, process), await OpenDevice.Open(two, memory, process), slot);
    }

    [Fact]
    public async Task Asking_what_a_hot_reset_would_take_wakes_a_sleeping_function()
    {
        var slot = new ScriptedSlot();
        var hardware = new Hardware();
        var state = hardware.PowerManagement(8) + 4;
        var function = slot.Add(0, config: hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(0, LowPowerRequests.Enter(device));
        Assert.True(device.GetHotResetInfo().IsSuccess);
        Assert.Equal(0, function.ConfigBytes[state] & 3);
    }
}
