using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class ClosingTests
{
    private readonly Migrating _it = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_end_of_the_stream_breaks_off_a_step_that_can_be_given_up()
    {
        var inStep = new Signal();
        _it.Variant.OnStep = async (_, _, token) =>
        {
            inStep.Set();
            await Task.Delay(Timeout.Infinite, token);
            return VfioResult.Success;
        };
        var change = _it.Service.SetStateAsync(Stop, Cancellation).Soon();
        await inStep.WaitAsync(Cancellation);
        _it.Service.EndStream();
        Assert.Equal(Errno.ECANCELED, (await change).Error);
    }

    [Fact]
    public async Task A_second_version_asked_for_on_a_closed_device_is_gone_when_it_is_opened()
    {
        _it.Variant.OnPrecopyInfo = () => new(1, 0, HasNewInitial: true);
        await _it.Service.EnablePrecopyInfoV2Async(Cancellation);
        _it.Device.Reset(ResetCause.Open);
        var stream = await _it.BeginAsync(PreCopy);
        Assert.False((await stream.GetPrecopyInfoAsync(Cancellation)).Value.HasNewInitial);
    }
}
