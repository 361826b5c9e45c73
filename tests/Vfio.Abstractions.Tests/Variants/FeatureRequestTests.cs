namespace Vfio.Tests.Variants;

public sealed class FeatureRequestTests
{
    [Theory]
    [InlineData(0x0003_0001u, Errno.EINVAL)]
    [InlineData(0x0008_0001u, Errno.EINVAL)]
    [InlineData(0x8000_0001u, Errno.EINVAL)]
    [InlineData(0x0007_0001u, Errno.None)]
    [InlineData(0x0000_FFFFu, Errno.None)]
    public void Flags_are_taken_apart_as_the_kernel_takes_them(uint flags, Errno expected)
    {
        var request = FeatureRequest.FromFlags(flags);
        Assert.Equal(expected, request.Error);
        if (request.IsSuccess)
            Assert.Equal((int)(flags & 0xFFFF), request.Value.Id);
    }

    [Theory]
    [InlineData(FeatureOperation.Get, 8, Errno.None, true)]
    [InlineData(FeatureOperation.Get, 7, Errno.EINVAL, false)]
    [InlineData(FeatureOperation.Set, 8, Errno.EINVAL, false)]
    [InlineData(FeatureOperation.Probe | FeatureOperation.Get, 0, Errno.None, false)]
    [InlineData(FeatureOperation.Probe | FeatureOperation.Get | FeatureOperation.Set, 8, Errno.EINVAL, false)]
    [InlineData(FeatureOperation.Probe, 0, Errno.None, false)]
    [InlineData(FeatureOperation.None, 8, Errno.EINVAL, false)]
    public void A_feature_that_can_be_got_is_checked_as_the_kernel_checks_it(FeatureOperation operation, int length, Errno expected, bool carryOut)
    {
        var check = new FeatureRequest(1, operation).Check(FeatureOperation.Get, length, 8);
        Assert.Equal(expected, check.Error);
        Assert.Equal(carryOut, check.Value);
    }
}
