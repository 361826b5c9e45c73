using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Sets;

/// <summary>The reset of the slot or bus that stands in for a function's own at close.</summary>
public sealed class CloseResetTests
{
    private readonly VfioPciCoreOptions _process = new();
    private readonly ScriptedSlot _slot = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_function_without_a_reset_of_its_own_is_reset_with_its_slot_or_bus()
    {
        var device = await OpenDevice.Open(_slot.Add(0, flr: false), null, _process);

        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal(1, _slot.Resets);
        Assert.Equal(["prepare ClientLost", "done ClientLost"], device.Hooks);
    }

    [Fact]
    public async Task A_function_whose_own_reset_works_is_spared()
    {
        var device = await OpenDevice.Open(_slot.Add(0), null, _process);

        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(0, _slot.Resets);
    }

    [Fact]
    public async Task A_reset_of_its_own_that_fails_at_close_is_made_up_for()
    {
        var function = _slot.Add(0);
        var device = await OpenDevice.Open(function, null, _process);
        function.OnReset = (_, _) => new(Errno.ETIMEDOUT);

        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(1, _slot.Resets);
    }

    [Fact]
    public async Task It_waits_for_the_last_of_the_set_to_close_and_keeps_what_the_closed_ones_hold()
    {
        ScriptedFunction without = _slot.Add(0, flr: false), with = _slot.Add(1);
        var first = await OpenDevice.Open(without, null, _process);
        var second = await OpenDevice.Open(with, null, _process);
        without.WriteConfig(0x10, 4, 0xFE000000);
        var pristine = without.ConfigBytes.ToArray();

        await first.CloseAsync(ResetCause.Close);
        Assert.Equal(0, _slot.Resets);
        without.WriteConfig(0x10, 4, 0xFE000000);
        await second.CloseAsync(ResetCause.Close);
        Assert.Equal(1, _slot.Resets);
        Assert.Equal(Convert.ToHexString(pristine), Convert.ToHexString(without.ConfigBytes));

        // It is clean now.
        second = await OpenDevice.Open(with, null, _process);
        await second.CloseAsync(ResetCause.Close);
        Assert.Equal(1, _slot.Resets);
    }

    [Fact]
    public async Task One_that_a_closed_neighbours_back_end_kept_from_being_made_is_made_up_for_at_the_next_close()
    {
        ScriptedFunction without = _slot.Add(0, flr: false), neighbour = _slot.Add(1);
        _ = OpenDevice.Closed(neighbour, _process);
        var device = await OpenDevice.Open(without, null, _process);
        neighbour.OnConfigRead = (_, _) => throw new InvalidOperationException("scripted");

        // The fault is not the closing device's.
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(0, _slot.Resets);
        neighbour.OnConfigRead = null;
        var second = await OpenDevice.Open(neighbour, null, _process);
        await second.CloseAsync(ResetCause.Close);
        Assert.Equal(1, _slot.Resets);
    }

    [Theory]
    [InlineData("unbound")]
    [InlineData("virtual")]
    [InlineData("opening")]
    public async Task It_is_not_made_where_it_would_hit_others(string other)
    {
        using var busy = new Busy();
        var device = await OpenDevice.Open(_slot.Add(0, flr: false), null, _process);
        var second = _slot.Add(1, isVirtual: other == "virtual");
        var neighbour = other == "unbound" ? null : OpenDevice.Closed(second, _process);
        Task<VfioResult>? opening = null;
        if (other == "opening")
        {
            second.OnReset = (_, _) => new(busy.EnterAsync());
            opening = neighbour!.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation).AsTask();
            busy.Wait();
        }

        await device.CloseAsync(ResetCause.Close).AsTask().WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(0, _slot.Resets);
        busy.Leave();
        if (opening is not null)
            Assert.True((await opening).IsSuccess);
    }

    [Fact]
    public async Task A_slot_that_cannot_be_reset_leaves_the_need()
    {
        var function = _slot.Add(0, flr: false);
        var device = await OpenDevice.Open(function, null, _process);
        _slot.OnReset = _ => new(Errno.ENOTTY);
        await device.CloseAsync(ResetCause.Close);

        _slot.OnReset = null;
        await (await OpenDevice.Open(function, null, _process)).CloseAsync(ResetCause.Close);
        Assert.Equal(2, _slot.Resets);
    }
}
