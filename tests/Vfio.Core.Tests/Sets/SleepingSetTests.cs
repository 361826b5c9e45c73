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
