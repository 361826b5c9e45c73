using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

public sealed class ErrorTests
{
    private readonly ScriptedFunction _function;

    public ErrorTests()
    {
        var hardware = new Hardware();
        hardware.Express();
        _function = new(hardware.Bytes);
    }

    [Fact]
    public async Task An_error_that_the_function_reports_signals_the_error_index_while_somebody_listens()
    {
        using var client = EventFd.Create();
        await using var device = await OpenDevice.Open(_function);
        _function.ErrorReported!();
        Assert.Equal(0, device.Trigger(IrqIndex.Error, 0, Requests.Duplicate(client)));

        _function.ErrorReported();
        _function.ErrorReported();
        Assert.Equal(2ul, EventFd.Consume(client));
        Assert.Equal(0, device.Trigger(IrqIndex.Error, 0, [null]));
        _function.ErrorReported();
        Assert.Equal(0ul, EventFd.Consume(client));
    }

    [Fact]
    public async Task A_closed_device_hears_of_no_error()
    {
        using var client = EventFd.Create();
        var device = await OpenDevice.Open(_function);
        Assert.Equal(0, device.Trigger(IrqIndex.Error, 0, Requests.Duplicate(client)));
        var late = _function.ErrorReported!;

        await device.CloseAsync(ResetCause.Close);
        Assert.Null(_function.ErrorReported);
        // One that was on its way.
        late();
        Assert.Equal(0ul, EventFd.Consume(client));
        await using var again = await OpenDevice.Open(_function);
        Assert.NotNull(_function.ErrorReported);
    }

    [Fact]
    public async Task A_conventional_function_has_no_error_index_to_listen_on()
    {
        await using var device = await OpenDevice.Open(new(new Hardware().Bytes));

        Assert.Equal(Errno.EINVAL, device.GetIrqInfo((int)IrqIndex.Error).Error);
        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Error, 0, EventFd.Create()));
    }
}
