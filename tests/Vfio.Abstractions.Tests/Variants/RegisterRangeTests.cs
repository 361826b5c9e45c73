using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Variants;

public sealed class RegisterRangeTests
{
    [Fact]
    public void Patches_hides_and_captures_are_bytewise()
    {
        var access = from register in Gen.Choose(0, 20)
                     from length in Gen.Choose(1, 8)
                     from offset in Gen.Choose(0, 24)
                     from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf()
                     from value in ArbMap.Default.GeneratorFor<byte>().ArrayOf(length)
                     select (register, length, offset, bytes, value);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(access.ToArbitrary(), a =>
        {
            var (register, length, offset, bytes, value) = a;
            var range = new RegisterRange((ulong)register, length);
            bool Meets(int i) => offset + i >= register && offset + i < register + length;
            var meets = Enumerable.Range(0, bytes.Length).Any(Meets);

            var patched = bytes.ToArray();
            range.Patch((ulong)offset, patched, value);
            Assert.Equal(bytes.Select((b, i) => Meets(i) ? value[offset + i - register] : b), patched);

            var hidden = bytes.ToArray();
            range.Hide((ulong)offset, hidden, value);
            Assert.Equal(bytes.Select((b, i) => Meets(i) ? (byte)(b & ~value[offset + i - register]) : b), hidden);

            var shadow = value.ToArray();
            Assert.Equal(meets, range.Capture((ulong)offset, bytes, shadow));
            Assert.Equal(value.Select((v, i) => register + i - offset is >= 0 and var at && at < bytes.Length ? bytes[at] : v), shadow);
            Assert.Equal(meets, range.Overlaps((ulong)offset, bytes.Length));
        }));
    }

    [Fact]
    public void An_access_at_the_end_of_the_address_space_meets_nothing()
        => Assert.False(new RegisterRange(0, 4).Overlaps(ulong.MaxValue - 1, 4));
}
