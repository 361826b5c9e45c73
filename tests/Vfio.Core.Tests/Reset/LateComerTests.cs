using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Reset;

/// <summary>
/// Calls that began before a device was closed and get through only afterwards, when the function may be another client's.
/// </summary>
public sealed class LateComerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_reaches_the_function_of_a_device_that_was_closed()
    {
        var hardware = new Hardware();
        var express = hardware.Express();
        var power = hardware.PowerManagement();
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        function.Bars[1] = new ScriptedBar(16, BarKind.Io);
        var opened = await new SessionOpener(function, NullLogger.Instance, new(), new(function)).OpenAsync(
            new() { Dma = new DmaSpace() }, new NoHooks(), Cancellation);
        var session = opened.Value!;
        await session.CloseAsync(ResetCause.Close);
        function.Log.Clear();
        function.Writes.Clear();

        Assert.Equal(Errno.EINVAL, (await session.ResetAsync(ResetCause.DeviceReset, Cancellation)).Error);
        session.Config.Write(4, [0x07, 0x04]);
        session.Config.Write((ulong)(express + 8), [0x00, 0x80]);
        session.Config.Write((ulong)(power + 4), [0x03, 0x00]);
        session.Config.Write(0xF0, [1, 2, 3, 4]);
        session.Regions.Write(RegionIndex.Bar0 + 1, 0, [1]);
        Assert.Empty(function.Log);
        Assert.Empty(function.Writes);
        Assert.Empty(function.Bars[1].Accesses);
    }

    private sealed class NoHooks : IPciResetHooks
    {
        public void ResetPrepare(ResetCause cause)
        {
        }

        public void ResetDone(ResetCause cause)
        {
        }
    }
}
