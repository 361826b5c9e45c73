using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Sets;

/// <summary>The cases of the kernel's vfio_pci_sriov_uapi_test, and those around them.</summary>
public sealed class VfTokenTests
{
    private static readonly Guid First = Guid.Parse("52ac9bff-3a88-4fbd-901a-0d767c3b6c97");
    private static readonly Guid Second = Guid.Parse("88594674-90a0-47a9-aea8-9d9b352ac08a");
    private readonly VfioPciCoreOptions _process = new();
    private readonly OpenDevice _pf;
    private readonly OpenDevice _vf;

    public VfTokenTests()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Extended(0x10, 0x40);
        _pf = OpenDevice.Closed(new(hardware.Bytes), _process);
        _vf = OpenDevice.Closed(Virtual(), _process);
    }

    public enum Shown
    {
        Same,
        Different,
        Null,
    }

    public enum Case
    {
        InitTokenMatch,
        PfEarlyClose,
        OverrideToken,
    }

    public static TheoryData<Case, Shown> Cases { get; } = new MatrixTheoryData<Case, Shown>(Enum.GetValues<Case>(), Enum.GetValues<Shown>());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [Trait("Trap", "50")]
    [MemberData(nameof(Cases))]
    public async Task A_VF_opens_with_the_token_that_its_PF_was_opened_with_or_has_been_set(Case what, Shown shown)
    {
        var token = First;
        Assert.Equal(Errno.None, await Open(_pf, token));
        if (what == Case.PfEarlyClose)
            await _pf.CloseAsync(ResetCause.Close);
        if (what == Case.OverrideToken)
            Assert.Equal(0, Set(token = Second));

        Guid? given = shown == Shown.Null ? null : shown == Shown.Same ? token : Guid.NewGuid();
        Assert.Equal(shown == Shown.Same ? Errno.None : Errno.EACCES, await Open(_vf, given));
        if (what == Case.OverrideToken && shown != Shown.Same)
            Assert.Equal(Errno.EACCES, await Open(_vf, First));
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task An_open_PF_without_a_token_has_one_that_nobody_knows()
    {
        Assert.Equal(Errno.None, await Open(_pf, null));

        Assert.Equal(Errno.EACCES, await Open(_vf, null));
        Assert.Equal(Errno.EACCES, await Open(_vf, First));
        Assert.Equal(Errno.EACCES, await Open(_vf, Guid.Empty));
        Assert.Equal(0, Set(First));
        Assert.Equal(Errno.None, await Open(_vf, First));
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task Where_the_PF_was_never_opened_its_VF_takes_no_token()
    {
        Assert.Equal(Errno.EINVAL, await Open(_vf, First));
        Assert.Equal(Errno.None, await Open(_vf, null));
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task A_PF_whose_VF_is_in_use_opens_with_the_token_and_chooses_none()
    {
        Assert.Equal(Errno.None, await Open(_pf, First));
        Assert.Equal(Errno.None, await Open(_vf, First));
        await _pf.CloseAsync(ResetCause.Close);

        Assert.Equal(Errno.EACCES, await Open(_pf, null));
        Assert.Equal(Errno.EACCES, await Open(_pf, Second));
        Assert.Equal(Errno.None, await Open(_pf, First));
        await _pf.CloseAsync(ResetCause.Close);
        await _vf.CloseAsync(ResetCause.Close);

        // Nobody uses a VF any more: the next token counts.
        Assert.Equal(Errno.None, await Open(_pf, Second));
        Assert.Equal(Errno.EACCES, await Open(_vf, First));
        Assert.Equal(Errno.None, await Open(_vf, Second));
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task A_VF_that_was_opened_first_keeps_its_PF_from_everybody()
    {
        Assert.Equal(Errno.None, await Open(_vf, null));

        Assert.Equal(Errno.EACCES, await Open(_pf, null));
        Assert.Equal(Errno.EACCES, await Open(_pf, First));
        await _vf.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.None, await Open(_pf, First));
    }

    [Fact]
    [Trait("Trap", "50")]
    public async Task A_function_without_SRIOV_takes_no_token()
    {
        var plain = OpenDevice.Closed(new(new Hardware().Bytes) { Address = new(0, 2, 0, 0) }, _process);

        Assert.Equal(Errno.EINVAL, await Open(plain, First));
        Assert.Equal(Errno.None, await Open(plain, null));
    }

    [Fact]
    public async Task A_VF_that_did_not_open_is_not_in_use()
    {
        var function = Virtual();
        function.OnReset = (_, _) => new(Errno.EAGAIN);
        var busy = OpenDevice.Closed(function, _process);
        Assert.Equal(Errno.EAGAIN, await Open(busy, null));

        Assert.Equal(Errno.None, await Open(_pf, null));
    }

    [Fact]
    public async Task Processes_that_do_not_know_of_each_other_do_not_ask()
    {
        Assert.Equal(Errno.None, await Open(_pf, First));

        Assert.Equal(Errno.None, await Open(OpenDevice.Closed(Virtual()), null));
    }

    private static ScriptedFunction Virtual()
        => new(new Hardware().Bytes) { Address = new(0, 1, 0, 1), PhysicalFunction = new(0, 1, 0, 0), VirtualFunctionIndex = 0 };

    private static async Task<Errno> Open(OpenDevice device, Guid? token)
        => (await device.OpenAsync(new() { Dma = new DmaSpace(), VfToken = token }, Cancellation)).Error;

    private int Set(Guid token)
    {
        var result = _pf.Feature(new(FeatureId.VfToken, FeatureOperation.Set), token.ToByteArray(bigEndian: true), []);
        return result.IsSuccess ? result.Value : -(int)result.Error;
    }
}
